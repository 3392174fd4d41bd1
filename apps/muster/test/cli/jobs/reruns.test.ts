import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { ending, putJob, reaching, waiting } from '../../jobs.ts'
import { registered } from '../../simulated.ts'
import { type Muster, openMuster, rowsOf } from '../muster.ts'

let hub: TestHub
let muster: Muster
beforeAll(async () => {
  hub = await startHub()
  muster = await openMuster(hub)
  await registered(hub, { count: 4, prefix: 'lamp', tags: { floor: 3 } })
})
afterAll(async () => {
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

/** A job whose devices all wait for their connections. */
async function givenWaiting(jobId: string): Promise<void> {
  await putJob(hub, jobId, {
    type: 'scheduleDeviceMethod',
    queryCondition: 'tags.floor = 3',
    cloudToDeviceMethod: { methodName: 'ring' },
  })
  await waiting(hub, jobId, 4)
}

describe('muster job device', () => {
  it('R65 R66 skips and cancels devices that wait', async () => {
    await givenWaiting('waiting')

    const skipped = await muster.json(['job', 'device', 'skip', 'waiting', 'lamp-0001'])
    const canceled = await muster.json(['job', 'device', 'cancel', 'waiting', 'lamp-0000', 'lamp-0002'])
    const rest = await muster.json(['job', 'device', 'skip', 'waiting', '--status', 'pending'])

    expect(skipped).toMatchObject({ deviceId: 'lamp-0001', status: 'skipped' })
    expect(canceled).toEqual({ matchedCount: 2, changedCount: 2 })
    expect(rest).toEqual({ matchedCount: 1, changedCount: 1 })
    expect(await ending(hub, 'waiting')).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { canceledCount: 2, skippedCount: 2 },
    })
    const { stdout } = await muster.run(['job', 'devices', 'waiting', '--status', 'skipped', '-o', 'name'])
    expect(stdout).toBe('lamp-0001\nlamp-0003\n')
  })

  it('R67 retries devices that wait', async () => {
    await givenWaiting('retried')

    expect(await muster.json(['job', 'device', 'retry', 'retried', 'lamp-0003'])).toMatchObject({
      deviceId: 'lamp-0003',
    })
    expect(await muster.json(['job', 'device', 'retry', 'retried', '--status', 'completed'])).toEqual({
      matchedCount: 0,
      changedCount: 0,
    })
  })

  it('needs the devices, and words that it knows', async () => {
    const none = await muster.run(['job', 'device', 'skip', 'any'])
    const wrong = await muster.run(['job', 'device', 'skip', 'any', '--status', 'done'])

    expect(none).toMatchObject({ code: 2, stderr: 'muster: no devices are named: give their ids, or --status\n' })
    expect(wrong.stderr).toContain('--status must be one of pending, running, completed')
  })
})

describe('muster job rerun and lineage', () => {
  it('R70 R74 do an ended job again, and show both', async () => {
    await givenWaiting('first')
    await muster.json(['job', 'cancel', 'first', '--yes'])

    const rerun = await muster.json(['job', 'rerun', 'first', '--status', 'canceled', '--device-ids', 'lamp-0002'])

    expect(rerun).toMatchObject({ jobId: 'first-rerun-1', parentJobId: 'first' })
    await reaching(hub, 'first-rerun-1', 'deviceCount', 1)
    const { stdout, stderr } = await muster.run(['job', 'lineage', 'first'])
    expect(rowsOf(stdout).map(([job, parent]) => [job, parent])).toEqual([
      ['JOB', 'RERUN OF'],
      ['first', 'cancelled'],
      ['first-rerun-1', 'first'],
    ])
    expect(stderr).toMatch(/^4 devices: 3 canceled, 1 (pending|running)\n$/)
    expect(await muster.json(['job', 'lineage', 'first', '-d', 'lamp-0002', '--query', 'deviceJobs[].jobId'])).toEqual([
      'first',
      'first-rerun-1',
    ])
  })

  it('R71 tell when no device matches', async () => {
    await givenWaiting('second')
    await muster.json(['job', 'cancel', 'second', '--yes'])

    const { code, stderr } = await muster.run(['job', 'rerun', 'second', '--status', 'failed'])

    expect(code).not.toBe(0)
    expect(stderr).toContain('No device of the job second is as statuses')
  })
})
