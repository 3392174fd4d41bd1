import type { JobKey } from '@muster/contract'
import { markReachable } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  for (let no = 0; no < 6; no += 1) await api.send('PUT', `/devices/d${no}`, {})
})
afterAll(() => api[Symbol.asyncDispose]())

const jobs = { count: 0 }

async function givenJob(): Promise<{ readonly jobId: string; readonly key: JobKey }> {
  jobs.count += 1
  const jobId = `job-${jobs.count}`
  return { jobId, key: (await givenStartedJob(api, jobId, '*')).key }
}

/** Lets a device of a job be in flight, or wait for its connection. */
async function set(key: JobKey, deviceId: string, status: 'running' | 'pending'): Promise<void> {
  const [due, lease, running] = status === 'running' ? ['null', "'worker-1'", 1] : ["'infinity'", 'null', 0]
  await api.db.execute(`
    with set_row as (
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, due_at, leased_by, updated_at)
      select week, job_key, chunk_no, '${deviceId}', '${status}', 1, ${due}, ${lease}, now()
        from chunks where job_key = ${key} and '${deviceId}' = any(device_ids)
      returning chunk_no)
    update chunks set attempted = attempted + 1, running = running + ${running}
      from set_row where job_key = ${key} and chunks.chunk_no = set_row.chunk_no`)
}

const post = (path: string, body?: unknown, options = {}) => api.send('POST', path, body, options)

describe('R65 a single device', () => {
  it.each([
    ['skip', 'skipped'],
    ['cancel', 'canceled'],
  ])('that has not started ends by %s, and again without harm', async (action, status) => {
    const { jobId } = await givenJob()

    for (let times = 0; times < 2; times += 1) {
      const reply = await post(`/jobs/v2/${jobId}/devices/d2/${action}`)
      expect([reply.status, reply.body]).toMatchObject([200, { deviceId: 'd2', jobId, status }])
    }

    const { body } = await api.send('GET', `/jobs/v2/${jobId}`)
    expect(body.deviceJobStatistics).toMatchObject({
      pendingCount: 5,
      ...(action === 'skip' ? { canceledCount: 0, skippedCount: 1 } : { canceledCount: 1 }),
    })
    expect('skippedCount' in body.deviceJobStatistics).toBe(action === 'skip')
    const history = await api.send('GET', `/jobs/v2/${jobId}/history`)
    expect(history.body.at(-1)).toMatchObject({
      kind: 'changed',
      actor: 'policy:iothubowner',
      changes: { action, deviceCount: 1 },
    })
  })

  it('that waits is due now after a retry, and its workers are woken', async () => {
    const { jobId, key } = await givenJob()
    await set(key, 'd1', 'pending')

    const reply = await post(`/jobs/v2/${jobId}/devices/d1/retry`)

    expect([reply.status, reply.body.status]).toEqual([200, 'pending'])
    // It waits for nothing any more.
    expect(await markReachable(api.db, ['d1'], api.clock.now())).toEqual([])
    expect((await post(`/jobs/v2/${jobId}/devices/d1/retry`)).status).toBe(200)
  })

  it('is refused in flight, after its end, and where it is no target', async () => {
    const { jobId, key } = await givenJob()
    await set(key, 'd0', 'running')
    await post(`/jobs/v2/${jobId}/devices/d1/skip`)

    const inFlight = await post(`/jobs/v2/${jobId}/devices/d0/skip`)
    const ended = await post(`/jobs/v2/${jobId}/devices/d1/retry`)
    const nobody = await post(`/jobs/v2/${jobId}/devices/nobody/skip`)

    expect([inFlight.status, inFlight.body.Message]).toEqual([
      405,
      'ErrorCode:OperationNotAllowedInCurrentState;The device d0 is in flight: its attempt ends by itself. To skip is for a device that waits or has not started.',
    ])
    expect([ended.status, ended.body.Message]).toEqual([
      405,
      `ErrorCode:OperationNotAllowedInCurrentState;The device d1 has ended as skipped, which is final. When the job has ended, POST /jobs/v2/${jobId}/rerun does it again on chosen devices.`,
    ])
    expect([nobody.status, nobody.headers.get('iothub-errorcode')]).toEqual([404, 'DeviceNotFound'])
  })

  it('is refused in a job that has not started, that has ended, and that there is not', async () => {
    const { jobId } = await givenJob()
    await post(`/jobs/v2/${jobId}/cancel`)
    await api.send('PUT', '/jobs/v2/later', {
      type: 'scheduleUpdateTwin',
      updateTwin: { tags: { a: 1 }, etag: '*' },
      queryCondition: '*',
      startTime: '2026-03-03T00:00:00Z',
    })

    const ended = await post(`/jobs/v2/${jobId}/devices/d0/skip`)
    const early = await post('/jobs/v2/later/devices/d0/skip')
    const nothing = await post('/jobs/v2/nothing/devices/d0/skip')

    expect([ended.status, early.status, nothing.status]).toEqual([405, 405, 404])
    expect(ended.body.Message).toContain(`The job ${jobId} has ended as cancelled`)
    expect(early.body.Message).toContain('which devices it has is known when it starts')
  })
})

describe('R66 many devices', () => {
  it('are counted, those that were selected and those that changed', async () => {
    const { jobId, key } = await givenJob()
    await set(key, 'd0', 'running')

    const skipped = await post(`/jobs/v2/${jobId}/devices/skip`, { deviceIds: ['d0', 'd1', 'd2', 'nobody'] })
    const waiting = await post(`/jobs/v2/${jobId}/devices/retry`, { statuses: ['pending'] })
    const canceled = await post(`/jobs/v2/${jobId}/devices/cancel`, { statuses: ['pending', 'cancelled'] })

    expect(skipped.body).toEqual({ matchedCount: 3, changedCount: 2 })
    expect(waiting.body).toEqual({ matchedCount: 3, changedCount: 0 })
    expect(canceled.body).toEqual({ matchedCount: 3, changedCount: 3 })
    const page = await api.send('GET', `/jobs/v2/${jobId}/devices?status=skipped`)
    expect(page.body.items.map(({ deviceId }: { deviceId: string }) => deviceId)).toEqual(['d1', 'd2'])
    expect(page.body.counts.byStatus).toMatchObject({ skipped: 2, canceled: 3, running: 1 })
  })

  it('complete their job when no other is open', async () => {
    const { jobId } = await givenJob()

    await post(`/jobs/v2/${jobId}/devices/skip`, { statuses: ['pending'] })

    expect((await api.send('GET', `/jobs/v2/${jobId}`)).body).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: 6, skippedCount: 6 },
    })
  })

  it.each<[unknown, string]>([
    [{}, 'statuses, errorCodes and deviceIds are missing, expected at least one of them'],
    [undefined, 'the body is missing, it must be an object'],
    [{ statuses: [] }, 'statuses must be a list of 1 to 6, got []'],
    [{ statuses: ['waiting'] }, 'statuses.0 must be one of pending, running, completed, failed, canceled, skipped'],
    [{ statuses: 'pending' }, 'statuses must be an array, got "pending"'],
    [{ status: ['pending'] }, 'status is not known, expected one of statuses, errorCodes, deviceIds. The nearest is'],
    [{ errorCodes: ['a b'] }, 'errorCodes.0 must be the name of an error, such as GatewayTimeout, got "a b"'],
    [{ deviceIds: [] }, 'deviceIds must hold 1 to 100000 ids, got 0'],
    [{ deviceIds: ['a b'] }, 'deviceIds.0 must be a device id'],
  ])('are refused for the body %j', async (body, message) => {
    const { status, body: error } = await post('/jobs/v2/any/devices/skip', body)

    expect(status).toBe(400)
    expect(error.Message).toContain(message)
  })
})

it('R68 to an api-version of 2016 a skipped device is canceled', async () => {
  const { jobId } = await givenJob()
  await post(`/jobs/v2/${jobId}/devices/d1/skip`)
  await post(`/jobs/v2/${jobId}/devices/d2/cancel`)
  const older = { apiVersion: '2016-11-14' }

  const job = await api.send('GET', `/jobs/v2/${jobId}`, undefined, older)
  const page = await api.send('GET', `/jobs/v2/${jobId}/devices?deviceId=d1`, undefined, older)

  expect(job.body.deviceJobStatistics).toEqual({
    deviceCount: 6,
    succeededCount: 0,
    failedCount: 0,
    runningCount: 0,
    pendingCount: 4,
    canceledCount: 2,
  })
  expect(page.body.items[0].status).toBe('canceled')
})

it('R68 a query finds skipped devices', async () => {
  const { jobId } = await givenJob()
  await post(`/jobs/v2/${jobId}/devices/d3/skip`)

  const { body } = await post('/devices/query', {
    query: `SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '${jobId}' AND devices.jobs.status = 'skipped'`,
  })

  expect(body).toMatchObject([{ deviceId: 'd3', status: 'skipped' }])
})
