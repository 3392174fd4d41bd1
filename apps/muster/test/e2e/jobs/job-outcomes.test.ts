import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { deviceRows, ending, putJob, reaching } from '../../jobs.ts'
import { givenFleet } from '../../simulated.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const reboot = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 5 }

describe('a job over devices that are not as they should be', () => {
  it('J17 fails for a listed device that is not registered, and does not match it in a condition', async () => {
    await using _ = await givenFleet(hub, { count: 1, prefix: 'known', tags: {} })

    for (const type of ['scheduleUpdateTwin', 'scheduleDeviceMethod']) {
      await putJob(hub, `listed-${type}`, {
        type,
        deviceIds: ['nobody', 'known-0000'],
        updateTwin: { etag: '*', tags: { seen: true } },
        cloudToDeviceMethod: reboot,
        maxExecutionTimeInSeconds: 2,
      })
    }
    await putJob(hub, 'condition', {
      type: 'scheduleUpdateTwin',
      queryCondition: "deviceId IN ['nobody', 'known-0000']",
      updateTwin: { etag: '*', tags: { seen: true } },
    })

    expect(await ending(hub, 'listed-scheduleUpdateTwin')).toMatchObject({
      deviceJobStatistics: { deviceCount: 2, succeededCount: 1, failedCount: 1 },
    })
    expect(await ending(hub, 'condition')).toMatchObject({ deviceJobStatistics: { deviceCount: 1, succeededCount: 1 } })
    await ending(hub, 'listed-scheduleDeviceMethod')
    expect(await deviceRows(hub, "jobId = 'listed-scheduleDeviceMethod' AND deviceId = 'nobody'")).toMatchObject([
      { status: 'failed', error: { code: 'DeviceNotFound' }, outcome: {} },
    ])
  })

  it('J7 fails at the end of the window for a device that never came', async () => {
    await using _ = await givenFleet(hub, { count: 1, prefix: 'absent', tags: {} })

    await putJob(hub, 'absent', {
      type: 'scheduleDeviceMethod',
      queryCondition: "deviceId = 'absent-0000'",
      cloudToDeviceMethod: reboot,
      maxExecutionTimeInSeconds: 1,
    })

    expect(await ending(hub, 'absent')).toMatchObject({ status: 'completed', deviceJobStatistics: { failedCount: 1 } })
    expect(await deviceRows(hub, "jobId = 'absent'")).toMatchObject([
      { status: 'failed', error: { code: 'JobRunPreconditionFailed' } },
    ])
  })

  it('fails with a time-out for a device that takes the call and never answers', async () => {
    await using fleet = await givenFleet(hub, { count: 1, prefix: 'silent', tags: {}, behaviour: { silent: true } })
    await fleet.connect()

    await putJob(hub, 'silent', {
      type: 'scheduleDeviceMethod',
      queryCondition: "deviceId = 'silent-0000'",
      cloudToDeviceMethod: reboot,
    })

    expect(await ending(hub, 'silent')).toMatchObject({ deviceJobStatistics: { failedCount: 1 } })
    expect(await deviceRows(hub, "jobId = 'silent'")).toMatchObject([
      { status: 'failed', error: { code: 'GatewayTimeout' } },
    ])
    expect(fleet.methodCallCount).toBe(1)
  })

  it('J22 calls a device again whose connection was lost before it answered, if the job asks for that', async () => {
    await using fleet = await givenFleet(hub, {
      count: 1,
      prefix: 'drops',
      tags: {},
      behaviour: { latencyMs: [60_000, 60_000] },
    })
    await fleet.connect()

    await putJob(hub, 'drops', {
      type: 'scheduleDeviceMethod',
      queryCondition: "deviceId = 'drops-0000'",
      cloudToDeviceMethod: { ...reboot, responseTimeoutInSeconds: 60, onUnknownOutcome: 'retry' },
      maxExecutionTimeInSeconds: 60,
    })
    await eventually(() => expect(fleet.methodCallCount).toBe(1))
    await fleet.disconnect()
    await reaching(hub, 'drops', 'pendingCount', 1)
    await fleet.connect()

    await eventually(() => expect(fleet.methodCallCount).toBe(2))
    await hub.request('POST', '/jobs/v2/drops/cancel')
  })

  it('J6 stops in the middle: what is in flight is counted when it ends', async () => {
    await using fleet = await givenFleet(hub, {
      count: 150,
      prefix: 'stop',
      tags: { stop: true },
      behaviour: { latencyMs: [1_000, 1_500] },
    })
    const ids = Array.from({ length: 100 }, (_, index) => `stop-${String(index).padStart(4, '0')}`)
    await fleet.connect(ids)

    await putJob(hub, 'stopped', {
      type: 'scheduleDeviceMethod',
      queryCondition: 'tags.stop = true',
      cloudToDeviceMethod: reboot,
    })
    await reaching(hub, 'stopped', 'runningCount', 100)
    await reaching(hub, 'stopped', 'pendingCount', 50)
    const cancelled = await hub.request('POST', '/jobs/v2/stopped/cancel')
    const ended = await reaching(hub, 'stopped', 'succeededCount', 100)

    expect(cancelled.status).toBe(200)
    expect(ended).toMatchObject({
      status: 'cancelled',
      deviceJobStatistics: {
        deviceCount: 150,
        succeededCount: 100,
        runningCount: 0,
        pendingCount: 0,
        canceledCount: 50,
      },
    })
  })
})

describe('a job over devices that are disabled', () => {
  const setStatus = (id: string, status: string) =>
    hub.request('POST', '/devices', [{ id, importMode: 'update', status }])

  it('completes at once when it updates twins', async () => {
    await using _ = await givenFleet(hub, { count: 1, prefix: 'off-twin', tags: {} })
    await setStatus('off-twin-0000', 'disabled')

    await putJob(hub, 'off-twin', {
      type: 'scheduleUpdateTwin',
      queryCondition: "deviceId = 'off-twin-0000'",
      updateTwin: { etag: '*', tags: { seen: true } },
    })

    expect(await ending(hub, 'off-twin')).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: 1, succeededCount: 1, failedCount: 0 },
    })
    expect(await deviceRows(hub, "jobId = 'off-twin'")).toMatchObject([{ status: 'completed', outcome: {} }])
    expect(await (await hub.request('GET', '/twins/off-twin-0000')).json()).toMatchObject({ tags: { seen: true } })
  })

  it('J7 calls no method, and fails at the end of the window', async () => {
    await using fleet = await givenFleet(hub, { count: 1, prefix: 'off-method', tags: {} })
    await fleet.connect()
    await setStatus('off-method-0000', 'disabled')

    await putJob(hub, 'off-method', {
      type: 'scheduleDeviceMethod',
      queryCondition: "deviceId = 'off-method-0000'",
      cloudToDeviceMethod: reboot,
      maxExecutionTimeInSeconds: 1,
    })

    expect(await ending(hub, 'off-method')).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: 1, succeededCount: 0, failedCount: 1, pendingCount: 0 },
    })
    expect(await deviceRows(hub, "jobId = 'off-method'")).toMatchObject([
      { status: 'failed', error: { code: 'JobRunPreconditionFailed' }, outcome: {} },
    ])
    expect(fleet.methodCallCount).toBe(0)
  })

  it('J8 calls a method once the device is enabled and back', async () => {
    await using fleet = await givenFleet(hub, { count: 1, prefix: 'off-and-on', tags: {} })
    await setStatus('off-and-on-0000', 'disabled')
    await putJob(hub, 'off-and-on', {
      type: 'scheduleDeviceMethod',
      queryCondition: "deviceId = 'off-and-on-0000'",
      cloudToDeviceMethod: reboot,
    })
    await reaching(hub, 'off-and-on', 'pendingCount', 1)

    await setStatus('off-and-on-0000', 'enabled')
    await fleet.connect()

    expect(await ending(hub, 'off-and-on')).toMatchObject({ deviceJobStatistics: { succeededCount: 1 } })
    expect(fleet.methodCallCount).toBe(1)
  })
})

describe('a twin job whose patch is too much for some twins', () => {
  it('J5 fails for these, says what would grow too large, and completes the others', async () => {
    const texts = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [n, 'x'.repeat(4000)]))
    const tags = texts(2)
    const properties = { desired: texts(8) }
    // Its section is nearly full, too, but the patch takes more away than it brings.
    const relieved = { tags: { 0: 'x'.repeat(4000), 1: 'x'.repeat(3500), gone: 'x'.repeat(600) } }
    const kinds = { roomy: {}, relieved, tags: { tags }, desired: { properties }, both: { tags, properties } }
    const entries = Object.entries(kinds).flatMap(([kind, twin]) =>
      [1, 2, 3].map((n) => ({ id: `full-${kind}-${n}`, importMode: 'create', ...twin })),
    )
    expect((await hub.request('POST', '/devices', entries)).status).toBe(200)

    await putJob(hub, 'full', {
      type: 'scheduleUpdateTwin',
      queryCondition: "STARTSWITH(deviceId, 'full-')",
      updateTwin: {
        etag: '*',
        tags: { more: 'y'.repeat(200), gone: null },
        properties: { desired: { more: 'y'.repeat(1000) } },
      },
    })

    expect(await ending(hub, 'full')).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: 15, succeededCount: 6, failedCount: 9, runningCount: 0, pendingCount: 0 },
    })
    const completed = { status: 'completed', outcome: {} }
    const failed = { status: 'failed', outcome: {} }
    const tooLarge = (description: string) => ({ code: 'ArgumentInvalid', description })
    const ofTags = { ...failed, error: tooLarge('tags would take 8206 bytes; at most 8192 are allowed') }
    const ofDesired = {
      ...failed,
      error: tooLarge('properties.desired would take 33012 bytes; at most 32768 are allowed'),
    }
    const rows = { roomy: completed, relieved: completed, tags: ofTags, desired: ofDesired, both: ofTags }
    for (const [kind, row] of Object.entries(rows)) {
      const found = await deviceRows(hub, `jobId = 'full' AND STARTSWITH(deviceId, 'full-${kind}-')`)
      expect(found).toMatchObject([1, 2, 3].map((n) => ({ deviceId: `full-${kind}-${n}`, ...row })))
      const twin = await (await hub.request('GET', `/twins/full-${kind}-1`)).json()
      expect(twin).toMatchObject({ version: row === completed ? 3 : 2 })
    }
  })
})
