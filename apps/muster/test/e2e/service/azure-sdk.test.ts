import { eventually } from '@muster/testkit'
import { Client, JobClient, Registry } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { redirectSdks } from '../redirect.ts'
import { connectDevice, type SdkDevice } from '../sdk-devices.ts'

let hub: TestHub
let restore: () => void
let registry: Registry
let jobs: JobClient
let service: Client
const keys = new Map<string, string>()
const devices = new Map<string, SdkDevice>()

beforeAll(async () => {
  hub = await startHub()
  restore = redirectSdks(hub)
  registry = Registry.fromConnectionString(hub.connectionString)
  jobs = JobClient.fromConnectionString(hub.connectionString)
  service = Client.fromConnectionString(hub.connectionString)
})

afterAll(async () => {
  for (const device of devices.values()) await device.close()
  restore()
  await hub[Symbol.asyncDispose]()
})

describe('the unmodified service and device SDKs', () => {
  it('register devices, and tag three of five', async () => {
    for (const deviceId of ['lift-1', 'lift-2', 'lift-3', 'lift-4', 'lift-5']) {
      const { responseBody } = await registry.create({ deviceId })
      keys.set(deviceId, responseBody.authentication?.symmetricKey?.primaryKey ?? '')
    }
    for (const deviceId of ['lift-1', 'lift-2', 'lift-3']) {
      await registry.updateTwin(deviceId, { tags: { building: 43, floor: 3 } }, '*')
    }

    const { responseBody } = await registry.get('lift-4')
    expect(responseBody).toMatchObject({ deviceId: 'lift-4', status: 'enabled', connectionState: 'Disconnected' })
    await expect(registry.create({ deviceId: 'lift-4' })).rejects.toThrow(/already/i)
  })

  it('connect devices, which read their twins and report', async () => {
    for (const deviceId of ['lift-1', 'lift-2', 'lift-4', 'lift-5'])
      await connect(deviceId, deviceId === 'lift-2' ? 500 : 200)

    const { twin } = device('lift-1')
    await new Promise<void>((resolve, reject) =>
      twin.properties.reported.update({ firmware: '1.0' }, (error: Error | null) =>
        error ? reject(error) : resolve(),
      ),
    )

    const { responseBody } = await registry.getTwin('lift-1')
    expect(responseBody).toMatchObject({
      connectionState: 'Connected',
      tags: { building: 43, floor: 3 },
      properties: { reported: { firmware: '1.0', $version: 2 } },
    })
  })

  it('run a twin job, and the connected devices hear of it', async () => {
    await jobs.scheduleTwinUpdate(
      'twin-job',
      'tags.building = 43 AND tags.floor = 3',
      { etag: '*', tags: { serviced: true }, properties: { desired: { interval: 5 } } } as never,
      new Date(),
      60,
    )

    const ended = await ending('twin-job')

    expect(ended).toMatchObject({ type: 'scheduleUpdateTwin', status: 'completed' })
    expect(ended.deviceJobStatistics).toMatchObject({
      deviceCount: 3,
      succeededCount: 3,
      failedCount: 0,
      runningCount: 0,
      pendingCount: 0,
    })
    for (const deviceId of ['lift-1', 'lift-2', 'lift-3']) {
      const { responseBody } = await registry.getTwin(deviceId)
      expect(responseBody).toMatchObject({
        tags: { building: 43, floor: 3, serviced: true },
        properties: { desired: { interval: 5, $version: 2 } },
      })
    }
    // The first event is the twin as it was read; the second is the change.
    await eventually(() => expect(device('lift-1').desired.at(-1)).toEqual({ interval: 5, $version: 2 }))
    expect(device('lift-4').desired.at(-1)).not.toHaveProperty('interval')
  })

  it('run a method job that starts later, against a device that answers 500 and one that is offline', async () => {
    const { jobStatus: reply } = await jobs.scheduleDeviceMethod(
      'method-job',
      'tags.building = 43 AND tags.floor = 3',
      { methodName: 'reboot', payload: { delay: 1 }, responseTimeoutInSeconds: 10 },
      new Date(Date.now() + 3_000),
      60,
    )
    expect(reply).toEqual({ jobId: 'method-job', type: 'scheduleDeviceMethod', status: 'queued' })
    expect((await read('method-job')).status).toBe('scheduled')

    await eventually(
      async () => {
        const running = await read('method-job')
        expect(running).toMatchObject({
          status: 'running',
          deviceJobStatistics: { deviceCount: 3, succeededCount: 2, failedCount: 0, runningCount: 0, pendingCount: 1 },
        })
      },
      { timeoutMs: 15_000 },
    )
    await connect('lift-3', 200)
    const ended = await ending('method-job')

    expect(ended).toMatchObject({
      status: 'completed',
      cloudToDeviceMethod: { methodName: 'reboot', payload: { delay: 1 } },
      deviceJobStatistics: { deviceCount: 3, succeededCount: 3, failedCount: 0, runningCount: 0, pendingCount: 0 },
    })
    expect(device('lift-3').calls.map(({ payload }) => payload)).toEqual([{ delay: 1 }])
    expect(device('lift-4').calls).toEqual([])
  })

  it('query the per-device rows of a job', async () => {
    const query = registry.createQuery("SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'method-job'")
    const { result } = await query.next()

    expect(result.map((row: Record<string, unknown>) => [row.deviceId, row.status, row.outcome])).toEqual([
      [
        'lift-1',
        'completed',
        { deviceMethodResponse: { status: 200, payload: { deviceId: 'lift-1', got: { delay: 1 } } } },
      ],
      [
        'lift-2',
        'completed',
        { deviceMethodResponse: { status: 500, payload: { deviceId: 'lift-2', got: { delay: 1 } } } },
      ],
      [
        'lift-3',
        'completed',
        { deviceMethodResponse: { status: 200, payload: { deviceId: 'lift-3', got: { delay: 1 } } } },
      ],
    ])
  })

  it('query twins', async () => {
    const { result } = await registry.createQuery('SELECT * FROM devices WHERE tags.serviced = true').nextAsTwin()

    expect(result.map((twin: { deviceId: string }) => twin.deviceId)).toEqual(['lift-1', 'lift-2', 'lift-3'])
  })

  it('invoke a method directly', async () => {
    const { result } = await service.invokeDeviceMethod('lift-4', { methodName: 'reboot', payload: [1, null] })

    expect(result).toEqual({ status: 200, payload: { deviceId: 'lift-4', got: [1, null] } })
    await device('lift-5').close()
    devices.delete('lift-5')
    await expect(service.invokeDeviceMethod('lift-5', { methodName: 'reboot' })).rejects.toThrow(
      /Not found|not online/i,
    )
  })

  it('cancel a scheduled job', async () => {
    await jobs.scheduleDeviceMethod(
      'later',
      '*',
      { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
      new Date(Date.now() + 3_600_000),
      60,
    )

    const { jobStatus } = await jobs.cancelJob('later')

    expect(jobStatus).toMatchObject({ jobId: 'later', status: 'cancelled' })
  })

  it('cancel a running job, which the incumbent refuses', async () => {
    await jobs.scheduleDeviceMethod(
      'waits',
      "deviceId IN ['lift-1', 'lift-5']",
      { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
      new Date(),
      60,
    )
    await eventually(async () =>
      expect(await read('waits')).toMatchObject({
        status: 'running',
        deviceJobStatistics: { succeededCount: 1, pendingCount: 1 },
      }),
    )

    const { jobStatus } = await jobs.cancelJob('waits')

    expect(jobStatus).toMatchObject({
      status: 'cancelled',
      deviceJobStatistics: { deviceCount: 2, succeededCount: 1, pendingCount: 0, canceledCount: 1 },
    })
    await expect(jobs.cancelJob('method-job')).rejects.toMatchObject({ response: { statusCode: 405 } })
  })

  it('page through the list of jobs', async () => {
    const query = jobs.createQuery(undefined, undefined, 2)
    const pages: string[][] = []
    const first = await query.next()
    pages.push(first.result.map(({ jobId }: Job) => jobId))
    while (query.hasMoreResults) {
      const { result } = await query.next(query.continuationToken)
      pages.push(result.map(({ jobId }: Job) => jobId))
    }

    expect(pages).toEqual([
      ['waits', 'later'],
      ['method-job', 'twin-job'],
    ])
  })
})

async function connect(deviceId: string, status: number): Promise<void> {
  devices.set(deviceId, await connectDevice({ deviceId, key: keys.get(deviceId) ?? '' }, { status }))
}

function device(deviceId: string): SdkDevice {
  const found = devices.get(deviceId)
  if (found === undefined) throw new Error(`${deviceId} is not connected`)
  return found
}

/** What the tests read of a job. */
interface Job {
  readonly jobId: string
  readonly status: string
  readonly deviceJobStatistics?: Record<string, number>
}

async function read(jobId: string): Promise<Job> {
  const { jobStatus } = await jobs.getJob(jobId)
  return jobStatus
}

function ending(jobId: string): Promise<Job> {
  return eventually(
    async () => {
      const job = await read(jobId)
      expect(['completed', 'failed', 'cancelled']).toContain(job.status)
      return job
    },
    { timeoutMs: 20_000 },
  )
}
