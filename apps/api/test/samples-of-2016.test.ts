import { jobKey } from '@muster/contract'
import { startJob } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from './api.ts'

/**
 * The requests that the documents of 2016 print, with their placeholders filled in and as the JSON that goes over the wire,
 * and the headers that they give them.
 */
const headers = {
  'content-type': 'application/json; charset=utf-8',
  'request-id': '8c1c7b56-3a8b-4b0d-9c36-3a0f3c8f2f11',
  'user-agent': 'samples/1.0',
}
const startTime = '2026-03-02T14:00:00Z'
const patch = { etag: '*', tags: { building: '43' }, properties: { desired: { telemetry: { intervalSeconds: 60 } } } }

let api: Api
beforeAll(async () => {
  api = await openApi()
  for (const deviceId of ['MyDevice1', 'MyDevice2']) await api.send('PUT', `/devices/${deviceId}`, { deviceId })
})
afterAll(async () => api[Symbol.asyncDispose]())

describe('with 2016-09-30-preview', () => {
  const apiVersion = '2016-09-30-preview'
  const send = (method: string, path: string, body?: unknown) => api.send(method, path, body, { apiVersion, headers })
  const methodJob = {
    type: 'scheduleDirectRequest',
    cloudToDeviceMethod: { methodName: 'lockDoor', payload: { door: 3 }, timeoutInSeconds: 30 },
    startTime,
    maxExecutionTimeInSeconds: 300,
  }
  const twinJob = { type: 'scheduleTwinUpdate', updateTwin: patch, startTime, maxExecutionTimeInSeconds: 300 }

  it.each([
    ['a condition', { queryCondition: "tags.building = '43'" }, "tags.building = '43'"],
    ['a list of devices', { deviceIds: ['MyDevice1', 'MyDevice2'] }, "deviceId IN ['MyDevice1','MyDevice2']"],
    ['one device', { deviceIds: 'MyDevice1' }, "deviceId IN ['MyDevice1']"],
  ])('the method job for %s is accepted and can be followed', async (name, target, queryCondition) => {
    const jobId = `preview-method-${name.replaceAll(' ', '-')}`

    const created = await send('PUT', `/jobs/v2/${jobId}`, { jobId, ...methodJob, ...target })
    const read = await send('GET', `/jobs/v2/${jobId}`)

    expect(created.body).toMatchObject({
      jobId,
      type: 'scheduledDeviceMethod',
      status: 'pending',
      queryCondition,
      startTime: '2026-03-02T14:00:00.000Z',
    })
    expect(read.body).toEqual({ ...created.body, status: 'scheduled' })
    expect(read.body.cloudToDeviceMethod).toMatchObject({
      methodName: 'lockDoor',
      payload: { door: 3 },
      responseTimeoutInSeconds: 30,
    })
  })

  it.each([
    ['a condition', { queryCondition: "tags.building = '43'" }],
    ['a list of devices', { deviceIds: ['MyDevice1'] }],
  ])('the twin job for %s is accepted and can be followed', async (name, target) => {
    const jobId = `preview-twin-${name.replaceAll(' ', '-')}`

    const created = await send('PUT', `/jobs/v2/${jobId}`, { jobId, ...twinJob, ...target })
    const read = await send('GET', `/jobs/v2/${jobId}`)

    expect(created.body).toMatchObject({ jobId, type: 'scheduledUpdateTwin', status: 'pending' })
    expect(read.body).toMatchObject({
      type: 'scheduledUpdateTwin',
      status: 'scheduled',
      maxExecutionTimeInSeconds: 300,
    })
  })

  it("the address of one device's methods starts a job", async () => {
    const created = await send('PUT', '/jobs/v2/MyDevice1/methods/preview-address', {
      jobId: 'preview-address',
      ...methodJob,
    })

    expect(created.body).toMatchObject({
      type: 'scheduledDeviceMethod',
      status: 'pending',
      queryCondition: "deviceId IN ['MyDevice1']",
    })
  })
})

describe('with 2016-11-14', () => {
  const apiVersion = '2016-11-14'
  const send = (method: string, path: string, body?: unknown) => api.send(method, path, body, { apiVersion, headers })
  const methodJob = {
    type: 'scheduleDirectRequest',
    cloudToDeviceMethod: { methodName: 'lockDoor', payload: null, responseTimeoutInSeconds: 30 },
    startTime,
    maxExecutionTimeInSeconds: 300,
  }

  it.each(["deviceId = 'MyDevice1'", "deviceId IN ['MyDevice1','MyDevice2']", "deviceId IN ['MyDevice1']"])(
    'the method job with the condition %s is accepted',
    async (queryCondition) => {
      const jobId = `nov-method-${queryCondition.length}`

      const created = await send('PUT', `/jobs/v2/${jobId}`, { jobId, ...methodJob, queryCondition })

      expect(created.body).toMatchObject({ jobId, type: 'scheduledDeviceMethod', status: 'pending', queryCondition })
    },
  )

  it('the twin job is accepted, and its states have the spelling of the document', async () => {
    const jobId = 'nov-twin'
    const body = {
      jobId,
      type: 'scheduleTwinUpdate',
      updateTwin: patch,
      queryCondition: "deviceId = 'MyDevice1'",
      startTime,
      maxExecutionTimeInSeconds: 300,
    }

    const created = await send('PUT', `/jobs/v2/${jobId}`, body)
    const cancelled = await send('POST', `/jobs/v2/${jobId}/cancel`)

    expect(created.body).toMatchObject({ type: 'scheduledUpdateTwin', status: 'pending' })
    expect(cancelled.body).toMatchObject({ type: 'scheduledUpdateTwin', status: 'canceled' })
  })

  it("the address of one device's methods starts a job", async () => {
    const created = await send('PUT', '/jobs/v2/MyDevice2/methods/nov-address', { jobId: 'nov-address', ...methodJob })

    expect(created.body).toMatchObject({
      type: 'scheduledDeviceMethod',
      status: 'pending',
      queryCondition: "deviceId IN ['MyDevice2']",
    })
  })

  it('the list of jobs takes all four parameters, and gives the next token', async () => {
    const filter = 'jobType=scheduleDirectRequest&jobStatus=scheduled'
    const first = await send('GET', `/jobs/v2/query?${filter}&pageSize=2`)
    const token = encodeURIComponent(first.headers.get('x-ms-continuation') ?? '')
    const second = await send('GET', `/jobs/v2/query?${filter}&pageSize=2&continuationToken=${token}`)

    expect(first.body).toHaveLength(2)
    expect(second.body).toHaveLength(2)
    expect(ids([...first.body, ...second.body]).size).toBe(4)
  })

  it('a running job has statistics under the names of the document', async () => {
    const jobId = 'nov-running'
    await send('PUT', `/jobs/v2/${jobId}`, {
      jobId,
      ...methodJob,
      startTime: null,
      queryCondition: "deviceId IN ['MyDevice1','MyDevice2']",
    })
    const { rows: found } = await api.db.execute<{ job_key: string }>(
      `select job_key::text from jobs where job_id = '${jobId}'`,
    )
    await startJob(api.db, jobKey(found[0]?.job_key ?? ''), { maxRunningJobs: 9, chunkSize: () => 10 }, api.clock.now())

    const read = await send('GET', `/jobs/v2/${jobId}`)
    const rows = await api.send('POST', '/devices/query', { query: 'SELECT * FROM devices.jobs' })

    expect(read.body.status).toBe('running')
    expect(read.body.deviceJobStatistics).toMatchObject({
      deviceCount: 2,
      failedCount: 0,
      succeededCount: 0,
      runningCount: 0,
      pendingCount: 2,
    })
    expect(rows.body).toHaveLength(2)
  })
})

function ids(jobs: readonly { jobId: string }[]): ReadonlySet<string> {
  return new Set(jobs.map(({ jobId }) => jobId))
}
