import { request } from 'node:https'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { givenFleet } from '../../simulated.ts'

let hub: TestHub
let fleet: Awaited<ReturnType<typeof givenFleet>>

beforeAll(async () => {
  hub = await startHub()
  fleet = await givenFleet(hub, { count: 3, prefix: 'sample', tags: { building: '43' } })
  await fleet.connect()
})
afterAll(async () => {
  await fleet[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

/** The requests as the documents print them, over TLS to the port that clients use, until the jobs have run. */
describe.each([
  ['2016-09-30-preview', { deviceIds: ['sample-0000', 'sample-0001'] }, { timeoutInSeconds: 10 }, 2],
  ['2016-09-30-preview', { queryCondition: "tags.building = '43'", deviceIds: null }, { timeoutInSeconds: 10 }, 3],
  ['2016-11-14', { queryCondition: "deviceId IN ['sample-0000','sample-0001']" }, { responseTimeoutInSeconds: 10 }, 2],
  ['2016-11-14', { queryCondition: "deviceId = 'sample-0002'" }, { responseTimeoutInSeconds: 10 }, 1],
])('the samples of %s for %j', (version, target, timeout, deviceCount) => {
  const suffix = `${version}-${deviceCount}`
  const startTime = new Date().toISOString()

  it('call a method on each device', async () => {
    const jobId = `method-${suffix}`

    const created = await send('PUT', `/jobs/v2/${jobId}?api-version=${version}`, {
      jobId,
      type: 'scheduleDirectRequest',
      cloudToDeviceMethod: { methodName: 'lockDoor', payload: { door: 3 }, ...timeout },
      ...target,
      startTime,
      maxExecutionTimeInSeconds: 300,
    })

    expect(created).toMatchObject({ jobId, type: 'scheduledDeviceMethod', status: 'pending' })
    expect(await completed(jobId, version)).toMatchObject({
      type: 'scheduledDeviceMethod',
      deviceJobStatistics: { deviceCount, succeededCount: deviceCount, failedCount: 0 },
    })
  })

  it('update each twin', async () => {
    const jobId = `twin-${suffix}`

    const created = await send('PUT', `/jobs/v2/${jobId}?api-version=${version}`, {
      jobId,
      type: 'scheduleTwinUpdate',
      updateTwin: { tags: { serviced: jobId }, properties: { desired: { interval: 60 } } },
      ...target,
      startTime,
      maxExecutionTimeInSeconds: 300,
    })

    expect(created).toMatchObject({ jobId, type: 'scheduledUpdateTwin', status: 'pending' })
    expect(await completed(jobId, version)).toMatchObject({
      deviceJobStatistics: { deviceCount, succeededCount: deviceCount },
    })
  })

  it('start a job at the address of one device, and find it in the list', async () => {
    const jobId = `address-${suffix}`

    await send('PUT', `/jobs/v2/sample-0000/methods/${jobId}?api-version=${version}`, {
      jobId,
      type: 'scheduleDirectRequest',
      cloudToDeviceMethod: { methodName: 'lockDoor', payload: null, ...timeout },
    })
    await completed(jobId, version)
    const listed = await send(
      'GET',
      `/jobs/v2/query?api-version=${version}&jobType=scheduledDeviceMethod&jobStatus=completed&pageSize=100`,
    )

    expect(listed).toContainEqual(
      expect.objectContaining({ jobId, deviceJobStatistics: expect.objectContaining({ succeededCount: 1 }) }),
    )
  })
})

function completed(jobId: string, version: string): Promise<unknown> {
  return eventually(
    async () => {
      const job = await send('GET', `/jobs/v2/${jobId}?api-version=${version}`)
      expect(job).toMatchObject({ status: 'completed' })
      return job
    },
    { timeoutMs: 15_000 },
  )
}

/** The answer's JSON. Fails unless it is 200. */
async function send(method: string, path: string, body?: object): Promise<unknown> {
  const { promise, resolve, reject } = pending<{ status: number; text: string }>()
  const sent = request(
    {
      method,
      host: 'localhost',
      port: hub.httpsPort,
      path,
      ca: hub.ca,
      headers: {
        Authorization: hub.token,
        'Content-Type': 'application/json; charset=utf-8',
        'Request-Id': '8c1c7b56-3a8b-4b0d-9c36-3a0f3c8f2f11',
        'User-Agent': 'samples/1.0',
      },
    },
    async (response) => {
      const text = Buffer.concat(await response.toArray()).toString()
      resolve({ status: response.statusCode ?? 0, text })
    },
  )
  sent.on('error', reject)
  sent.end(body === undefined ? undefined : JSON.stringify(body))
  const { status, text } = await promise
  if (status !== 200) throw new Error(`${method} ${path} answered ${status}: ${text}`)
  return JSON.parse(text)
}

function pending<Value>() {
  let resolve: (value: Value) => void = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<Value>((resolveIt, rejectIt) => {
    resolve = resolveIt
    reject = rejectIt
  })
  return { promise, resolve, reject }
}
