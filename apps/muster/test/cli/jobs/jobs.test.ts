import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { ending, putJob } from '../../jobs.ts'
import { registered } from '../../simulated.ts'
import { type Muster, openMuster, rowsOf } from '../muster.ts'

let hub: TestHub
let muster: Muster
beforeAll(async () => {
  hub = await startHub()
  muster = await openMuster(hub)
  await registered(hub, { count: 3, prefix: 'lamp', tags: { floor: 3 } })
})
afterAll(async () => {
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

const get = async (path: string) => (await hub.request('GET', path)).json()
const patch = '{"properties":{"desired":{"interval":30}}}'

describe('muster job create', () => {
  it('schedules a twin update for the devices of a condition', async () => {
    const created = await muster.json(['job', 'create', 'twin-1', '-q', 'tags.floor = 3', '--twin-patch', patch])

    expect(created).toMatchObject({ jobId: 'twin-1', type: 'scheduleUpdateTwin' })
    expect(await ending(hub, 'twin-1')).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { succeededCount: 3 },
    })
    expect(await get('/twins/lamp-0000')).toMatchObject({ properties: { desired: { interval: 30 } } })
  })

  it('schedules a method for listed devices, at a time, for a window', async () => {
    const startTime = new Date(Date.now() + 3_600_000).toISOString()
    const words = ['--device-ids', 'lamp-0000,lamp-0001', '--method-name', 'reboot', '--method-payload', '{"in":5}']
    await muster.json(['job', 'create', 'method-1', ...words, '--start-time', startTime, '--ttl', '60'])

    expect(await muster.json(['job', 'show', 'method-1'])).toMatchObject({
      type: 'scheduleDeviceMethod',
      startTime,
      maxExecutionTimeInSeconds: 60,
      queryCondition: "deviceId IN ['lamp-0000','lamp-0001']",
      cloudToDeviceMethod: { methodName: 'reboot', payload: { in: 5 } },
    })
  })

  it('makes an id when none is given', async () => {
    const { stdout } = await muster.run([
      'job',
      'create',
      '-q',
      "deviceId = 'none'",
      '--twin-patch',
      patch,
      '-o',
      'name',
    ])

    expect(await get(`/jobs/v2/${stdout.trim()}`)).toMatchObject({ jobId: stdout.trim() })
  })

  it.each([
    [['-q', '*'], 'the job does nothing: give --twin-patch or --method-name'],
    [['--method-name', 'reboot'], 'no devices are named: give --query-condition (* for all), or --device-ids'],
    [['-q', '*', '--device-ids', 'a', '--method-name', 'x'], '--query-condition and --device-ids exclude each other'],
    [
      ['-q', '*', '--twin-patch', 'nowhere.json'],
      '--twin-patch is neither JSON nor a file that can be read: nowhere.json',
    ],
    [['-q', '*', '--twin-patch', '[1]'], `--twin-patch must be an object of JSON, such as '{"building":43}', got [1]`],
  ])('refuses %j with one line that says what was expected', async (words, line) => {
    const { code, stderr } = await muster.run(['job', 'create', 'wrong', ...words])

    expect({ code, stderr }).toEqual({ code: 2, stderr: `muster: ${line}\n` })
  })
})

describe('muster job list, show, preview', () => {
  it('give what the API gives, as JSON and as a table', async () => {
    await putJob(hub, 'shown', {
      type: 'scheduleUpdateTwin',
      queryCondition: 'tags.floor = 3',
      updateTwin: { etag: '*', tags: {} },
    })
    await ending(hub, 'shown')

    const job = await ending(hub, 'shown')
    expect(await muster.json(['job', 'show', 'shown'])).toEqual(job)
    expect(await muster.json(['job', 'list', '--top', '1'])).toEqual([job])
    expect(rowsOf((await muster.run(['job', 'list', '--top', '1'])).stdout)).toEqual([
      ['JOB', 'TYPE', 'STATUS', 'DEVICES', 'SUCCEEDED', 'FAILED', 'START', 'END'],
      ['shown', 'scheduleUpdateTwin', 'completed', '3', '3', '0', expect.any(String), job.endTime],
    ])
    expect(await muster.json(['job', 'list'])).toEqual(await get('/jobs/v2/query'))
  })

  it('preview counts the devices and shows the first', async () => {
    const condition = ['--query-condition', 'tags.floor = 3']

    expect(await muster.json(['job', 'preview', ...condition])).toMatchObject({ deviceCount: 3, disconnectedCount: 3 })
    const { stdout, stderr } = await muster.run(['job', 'preview', ...condition])
    expect(rowsOf(stdout)[1]).toEqual(['lamp-0000', 'enabled', 'Disconnected'])
    expect(stderr).toBe('3 devices, of which 0 are disabled, 3 not connected, 0 unknown\n')
  })
})

describe('muster job cancel', () => {
  it('asks first: where nobody can be asked it cancels only with --yes', async () => {
    const startTime = new Date(Date.now() + 3_600_000).toISOString()
    await muster.json(['job', 'create', 'unwanted', '-q', '*', '--twin-patch', patch, '--start-time', startTime])

    const unasked = await muster.run(['job', 'cancel', 'unwanted'])
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('has not started. Cancel it?') })
    expect(await get('/jobs/v2/unwanted')).toMatchObject({ status: 'scheduled' })

    expect(await muster.json(['job', 'cancel', 'unwanted', '--yes'])).toMatchObject({ status: 'cancelled' })
  })

  it.skipIf(spawnSync('script', ['--version']).error !== undefined)('takes the answer of a terminal', async () => {
    const startTime = new Date(Date.now() + 3_600_000).toISOString()
    await muster.json(['job', 'create', 'asked', '-q', '*', '--twin-patch', patch, '--start-time', startTime])

    const refused = await muster.onTerminal(['job', 'cancel', 'asked'], 'n\n')
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('muster: nothing was done') })
    expect(await get('/jobs/v2/asked')).toMatchObject({ status: 'scheduled' })

    expect(await muster.onTerminal(['job', 'cancel', 'asked'], 'y\n')).toMatchObject({ code: 0 })
    expect(await get('/jobs/v2/asked')).toMatchObject({ status: 'cancelled' })
  })
})
