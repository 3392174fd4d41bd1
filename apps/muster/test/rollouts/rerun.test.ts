import { createClient } from '@muster/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, waiting } from '../jobs.ts'
import { givenFleet, registered } from '../simulated.ts'

let hub: TestHub
let client: ReturnType<typeof createClient>
beforeAll(async () => {
  hub = await startHub()
  client = createClient({ connectionString: hub.connectionString, url: `http://127.0.0.1:${hub.httpPort}` })
})
afterAll(() => hub[Symbol.asyncDispose]())

const deviceCount = 10_000

describe('a rerun on a hub', () => {
  it('R70 R74 of 10,000 devices that failed reaches all of them', { timeout: 120_000 }, async () => {
    const deviceIds = Array.from({ length: deviceCount }, (_, no) => `late-${String(no).padStart(4, '0')}`)
    await putJob(hub, 'tagged', {
      type: 'scheduleUpdateTwin',
      deviceIds,
      updateTwin: { etag: '*', tags: { floor: 3 } },
    })
    expect(await ending(hub, 'tagged')).toMatchObject({ deviceJobStatistics: { failedCount: deviceCount } })
    await registered(hub, { count: deviceCount, prefix: 'late', tags: {} })

    const { jobId } = await client.jobs.rerun('tagged', { statuses: ['failed'], errorCodes: ['DeviceNotFound'] })

    expect(await ending(hub, jobId)).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount, succeededCount: deviceCount },
    })
    expect(await client.jobs.lineage('tagged')).toMatchObject({
      jobs: [{ jobId: 'tagged' }, { jobId, parentJobId: 'tagged' }],
      latest: { deviceCount, byStatus: { completed: deviceCount } },
    })
  })

  it('R65 R67 R70 of a cancelled method job calls those that were canceled, once each', async () => {
    await using online = await givenFleet(hub, { count: 3, prefix: 'bell', tags: { building: 7 } })
    const method = { methodName: 'ring' }
    await client.jobs.create({ jobId: 'rung', queryCondition: 'tags.building = 7', cloudToDeviceMethod: method })
    await waiting(hub, 'rung', 3)
    expect(await client.jobs.changeDevice('rung', 'bell-0000', 'skip')).toMatchObject({ status: 'skipped' })
    await client.jobs.cancel('rung')

    await online.connect()
    const { jobId } = await client.jobs.rerun('rung', { statuses: ['canceled'] })

    expect(await ending(hub, jobId)).toMatchObject({
      deviceJobStatistics: { deviceCount: 2, succeededCount: 2 },
    })
    const rows = []
    for await (const { deviceId, status } of client.jobs.devices(jobId)) rows.push([deviceId, status])
    expect(rows).toEqual([
      ['bell-0001', 'completed'],
      ['bell-0002', 'completed'],
    ])
    expect(online.methodCallCount).toBe(2)
  })
})
