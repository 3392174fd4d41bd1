import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { type Muster, openMuster, rowsOf } from './muster.ts'

let hub: TestHub
let muster: Muster
beforeAll(async () => {
  hub = await startHub()
  muster = await openMuster(hub)
})
afterAll(async () => {
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

const get = async (path: string) => (await hub.request('GET', path)).json()

describe('muster schedule', () => {
  it('put, list and show give what the API gives', async () => {
    const times = ['--cron', '0 3 1 1 *', '--time-zone', 'Europe/Berlin', '--catch-up', 'last', '--max-runs', '3']
    const work = ['-q', 'tags.floor = 3', '--method-name', 'reboot', '--ttl', '600']
    const windows = ['--window', '0 3 * * * for 30', '--window', '30 4 * * * for 9', '--window-zone', 'tags.zone']

    const put = await muster.json(['schedule', 'put', 'yearly', ...times, ...work, ...windows])

    const shown = await get('/schedules/yearly')
    expect(put).toEqual(shown)
    expect(shown).toMatchObject({
      cron: '0 3 1 1 *',
      timeZone: 'Europe/Berlin',
      catchUp: 'last',
      maxRuns: 3,
      job: {
        type: 'scheduleDeviceMethod',
        queryCondition: 'tags.floor = 3',
        maxExecutionTimeInSeconds: 600,
        cloudToDeviceMethod: { methodName: 'reboot' },
        windows: [
          { cron: '0 3 * * *', durationMinutes: 30, timeZone: 'tags.zone' },
          { cron: '30 4 * * *', durationMinutes: 9, timeZone: 'tags.zone' },
        ],
      },
    })
    expect(await muster.json(['schedule', 'show', 'yearly'])).toEqual(shown)
    expect(await muster.json(['schedule', 'list'])).toEqual([shown])
    expect(rowsOf((await muster.run(['schedule', 'list'])).stdout)).toEqual([
      ['SCHEDULE', 'TIMES', 'NEXT', 'RUNS', 'SKIPPED', 'MISSED', 'LAST JOB'],
      ['yearly', '0 3 1 1 * Europe/Berlin', expect.stringMatching(/-01-01T02:00:00\.000Z$/), '0', '0', '0'],
    ])
  })

  it('put tells what the hub finds wrong', async () => {
    const work = ['-q', '*', '--twin-patch', '{"tags":{"a":1}}']

    expect(await muster.run(['schedule', 'put', 'bad', '--every', '5', ...work])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('every must be at least 60, got 5'),
    })
    expect(await muster.run(['schedule', 'put', 'bad', '--cron', '0 3 * * *'])).toMatchObject({ code: 2 })
    for (const wrong of [['--window', '0 3 * * *'], ['--strict-end']]) {
      expect(await muster.run(['schedule', 'put', 'bad', '--every', '60', ...work, ...wrong])).toMatchObject({
        code: 2,
      })
    }
  })

  it('delete asks, and then there is none', async () => {
    const unasked = await muster.run(['schedule', 'delete', 'yearly'])
    expect(unasked).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Delete the schedule yearly, whose next'),
    })

    expect(await muster.run(['schedule', 'delete', 'yearly', '--yes'])).toMatchObject({ code: 0 })
    expect(await muster.run(['schedule', 'show', 'yearly'])).toMatchObject({ code: 3 })
  })
})
