import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { type Muster, openMuster } from '../muster.ts'

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

const get = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse(await (await hub.request('GET', path)).text())

/** A job that starts in an hour. */
async function givenJob(jobId: string): Promise<void> {
  await hub.request('PUT', `/jobs/v2/${jobId}`, {
    type: 'scheduleDeviceMethod',
    cloudToDeviceMethod: { methodName: 'reboot' },
    queryCondition: '*',
    startTime: new Date(Date.now() + 3_600_000).toISOString(),
    rollout: { maximumPerMinute: 60 },
  })
}

describe('muster job', () => {
  it('R38 R42 pause and resume hold a job, with a reason and for so long', async () => {
    await givenJob('held')

    const paused = await muster.json(['job', 'pause', 'held', '--reason', 'no power', '--pause-timeout', '60'])
    const shown = await muster.run(['job', 'show', 'held', '--query', '[pausedBy, pauseReason]', '-o', 'tsv'])
    const resumed = await muster.json(['job', 'resume', 'held'])

    expect(paused).toMatchObject({ jobId: 'held', pauseReason: 'no power', pausedTime: expect.any(String) })
    expect(shown.stdout.trim().split(/\s+/)).toEqual(['policy:iothubowner', 'no', 'power'])
    expect(resumed).not.toHaveProperty('pausedTime')
  })

  it('R33 set changes the limits that it names, and none takes one away', async () => {
    await givenJob('set')

    const changed = await muster.json(['job', 'set', 'set', '--rate', 'none', '--in-flight', '5', '--priority', '7'])
    const longer = await muster.json(['job', 'set', 'set', '--ttl', '90'])

    expect(changed).toMatchObject({ rollout: { maximumInFlight: 5 }, priority: 7 })
    expect(longer).toMatchObject({ rollout: { maximumInFlight: 5 }, priority: 7, maxExecutionTimeInSeconds: 90 })
    expect(await muster.run(['job', 'set', 'set'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is nothing to change'),
    })
    expect(await muster.run(['job', 'set', 'set', '--rate', 'fast'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Expected a whole number, or none.'),
    })
    expect(await muster.run(['job', 'set', 'set', '--rate', '0'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('rollout.maximumPerMinute must be at least 1, got 0'),
    })
  })
})

describe('muster stop', () => {
  it('R44 R46 jobs asks first, and resume undoes it', async () => {
    for (const jobId of ['fw-1', 'fw-2', 'other']) await givenJob(jobId)

    const unasked = await muster.run(['stop', 'jobs', '--job-id-prefix', 'fw-'])
    const stopped = await muster.run(['stop', 'jobs', '--job-id-prefix', 'fw-', '--reason', 'loop', '--yes'])
    const { stopId } = await get('/jobs/v2/stops/1')
    const paused = await get('/jobs/v2/fw-1')
    const resumed = await muster.json(['stop', 'resume', String(stopId)])

    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') })
    expect(stopped.code).toBe(0)
    expect(paused).toMatchObject({ pauseReason: 'loop' })
    expect(await get('/jobs/v2/other')).not.toHaveProperty('pausedTime')
    expect(resumed).toMatchObject({ stopId, pausedCount: 2, resumedCount: 2, handedOverCount: 0 })
    expect(await muster.json(['stop', 'show', String(stopId)])).toEqual(resumed)
    expect(await get('/jobs/v2/fw-1')).not.toHaveProperty('pausedTime')
  })
})
