import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending } from '../jobs.ts'
import { registered } from '../simulated.ts'
import { steppedClock } from './stepped-clock.ts'

const clock = steppedClock('2026-03-20T12:00:00Z')
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock })
  await registered(hub, { count: 3, prefix: 'sensor', tags: { site: 'north' } })
})
afterAll(() => hub[Symbol.asyncDispose]())

async function schedule(id: string) {
  return (await hub.request('GET', `/schedules/${id}`)).json()
}

async function twinOf(deviceId: string): Promise<unknown> {
  return (await hub.request('GET', `/twins/${deviceId}`)).json()
}

it('R82 a weekly schedule keeps its local hour over a change of the clock, and each run finds its devices afresh', async () => {
  const put = await hub.request('PUT', '/schedules/weekly', {
    cron: '0 3 * * 1',
    timeZone: 'Europe/Berlin',
    job: {
      type: 'scheduleUpdateTwin',
      queryCondition: "tags.site = 'north'",
      updateTwin: { etag: '*', tags: { week: 1 } },
    },
  })
  expect(put.status).toBe(200)

  for (const [index, time] of ['2026-03-23T02:00:00Z', '2026-03-30T01:00:00Z', '2026-04-06T01:00:00Z'].entries()) {
    const jobId = `weekly-${time.replaceAll(/[-:]/g, '')}`
    clock.stepTo(time)
    await eventually(
      async () => expect(await schedule('weekly')).toMatchObject({ runCount: index + 1, lastJobId: jobId }),
      {
        timeoutMs: 20_000,
      },
    )
    expect(await ending(hub, jobId)).toMatchObject({
      status: 'completed',
      scheduleId: 'weekly',
      startTime: time.replace('Z', '.000Z'),
      deviceJobStatistics: { deviceCount: 3 + index, succeededCount: 3 + index },
    })
    await registered(hub, { count: 1, prefix: `late-${index}`, tags: { site: 'north' } })
  }

  expect(await schedule('weekly')).toMatchObject({ missedCount: 0, skippedCount: 0 })
  expect(await twinOf('late-1-0000')).toMatchObject({ tags: { week: 1 } })
  expect(await twinOf('late-2-0000')).not.toHaveProperty('tags.week')
})
