import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { givenStartedJob, startGivenJob } from '../jobs/given-started-job.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  for (let no = 0; no < 4; no += 1) await api.send('PUT', `/devices/d${no}`, {})
})
afterAll(() => api[Symbol.asyncDispose]())

const jobs = { count: 0 }

/** A job of which d0 was skipped and the others were canceled. */
async function givenEnded(): Promise<string> {
  jobs.count += 1
  const jobId = `job-${jobs.count}`
  await givenStartedJob(api, jobId, '*')
  await api.send('POST', `/jobs/v2/${jobId}/devices/d0/skip`)
  await api.send('POST', `/jobs/v2/${jobId}/cancel`)
  return jobId
}

const rerun = (jobId: string, body: unknown, options = {}) => api.send('POST', `/jobs/v2/${jobId}/rerun`, body, options)

describe('R70 a rerun', () => {
  it('is a job of its own, and both show each other', async () => {
    const jobId = await givenEnded()

    const { status, body } = await rerun(jobId, { statuses: ['cancelled'] })

    expect([status, body]).toMatchObject([
      200,
      {
        jobId: `${jobId}-rerun-1`,
        status: 'queued',
        parentJobId: jobId,
        queryCondition: "deviceId IN ['d1','d2','d3']",
        cloudToDeviceMethod: { methodName: 'ring' },
      },
    ])
    expect((await api.send('GET', `/jobs/v2/${jobId}`)).body.childJobIds).toEqual([`${jobId}-rerun-1`])
    const child = await api.send('GET', `/jobs/v2/${jobId}-rerun-1`)
    expect(child.body).toMatchObject({ parentJobId: jobId })
    expect(child.body).not.toHaveProperty('childJobIds')
    const history = await api.send('GET', `/jobs/v2/${jobId}-rerun-1/history`)
    expect(history.body).toMatchObject([{ kind: 'created', changes: { parentJobId: jobId } }])
  })

  it('has the id and the start time that are wanted', async () => {
    const jobId = await givenEnded()

    const { body } = await rerun(jobId, {
      jobId: `again-${jobId}`,
      deviceIds: 'd0',
      startTime: '2026-03-02T13:00:00Z',
      requery: true,
    })

    expect(body).toMatchObject({
      jobId: `again-${jobId}`,
      startTime: '2026-03-02T13:00:00.000Z',
      queryCondition: "deviceId IN ['d0']",
    })
  })

  it('shows no relation to an api-version of 2016', async () => {
    const jobId = await givenEnded()

    const { body } = await rerun(jobId, { deviceIds: ['d0'] }, { apiVersion: '2016-11-14' })

    expect(body).toMatchObject({ jobId: `${jobId}-rerun-1`, status: 'pending' })
    expect(body).not.toHaveProperty('parentJobId')
  })
})

describe('R71 a rerun is refused', () => {
  it.each<[unknown, string]>([
    [{}, 'statuses, errorCodes and deviceIds are missing'],
    [{ statuses: ['running'] }, 'statuses.0 must be one of completed, failed, canceled, skipped'],
    [{ statuses: ['failed'], requery: 'yes' }, 'requery must be true or false'],
    [{ statuses: ['failed'], jobId: 'query' }, 'jobId "query" is the address of the job list'],
    [{ statuses: ['failed'], startTime: 'soon' }, 'startTime must be ISO 8601'],
    [{ statuses: ['failed'], reQuery: true }, 'reQuery is not known'],
  ])('for the body %j', async (body, message) => {
    const { status, body: error } = await rerun('any', body)

    expect(status).toBe(400)
    expect(error.Message).toContain(message)
  })

  it('when no device matches: 422', async () => {
    const jobId = await givenEnded()

    const { status, headers, body } = await rerun(jobId, { statuses: ['failed'], errorCodes: ['GatewayTimeout'] })

    expect([status, headers.get('iothub-errorcode')]).toEqual([422, 'NothingMatches'])
    expect(body.Message).toContain('statuses, errorCodes, deviceIds and requery')
    expect((await api.send('GET', `/jobs/v2/${jobId}`)).body).not.toHaveProperty('childJobIds')
  })

  it('of a job that runs, of none, and under an id that is taken', async () => {
    const jobId = await givenEnded()
    await givenStartedJob(api, 'running', '*')

    const running = await rerun('running', { statuses: ['failed'] })
    const nothing = await rerun('nothing', { statuses: ['failed'] })
    const taken = await rerun(jobId, { statuses: ['skipped'], jobId: 'running' })

    expect([running.status, running.headers.get('iothub-errorcode')]).toEqual([
      405,
      'OperationNotAllowedInCurrentState',
    ])
    expect([nothing.status, taken.status]).toEqual([404, 409])
  })
})

describe('R71 R94 the windows of a rerun', () => {
  it('must open before it ends', async () => {
    const windows = [{ cron: '30 12 2 3 *', durationMinutes: 60 }]
    await api.send('PUT', '/jobs/v2/windowed', {
      type: 'scheduleDeviceMethod',
      cloudToDeviceMethod: { methodName: 'ring' },
      queryCondition: '*',
      windows,
    })
    const running = await rerun('windowed', { deviceIds: ['d0'], startTime: '2026-03-02T14:00:00Z' })
    await startGivenJob(api, 'windowed')
    await api.send('POST', '/jobs/v2/windowed/cancel')

    const late = await rerun('windowed', { deviceIds: ['d0'], startTime: '2026-03-02T14:00:00Z' })

    expect([running.status, late.status]).toEqual([405, 400])
    expect(late.body.Message).toContain('windows must open before the job ends at 2026-03-02T15:00:00.000Z')
    expect((await api.send('GET', '/jobs/v2/windowed')).body).not.toHaveProperty('childJobIds')
    const { status, body } = await rerun('windowed', { deviceIds: ['d0'] })
    expect([status, body.windows]).toEqual([200, windows])
  })
})

describe('R74 the lineage', () => {
  it('has the jobs, and each device once', async () => {
    const jobId = await givenEnded()
    await rerun(jobId, { statuses: ['skipped'] })

    const { body } = await api.send('GET', `/jobs/v2/${jobId}-rerun-1/lineage`)

    expect(body).toMatchObject({
      jobs: [
        { jobId, status: 'cancelled', deviceJobStatistics: { skippedCount: 1, canceledCount: 3 } },
        { jobId: `${jobId}-rerun-1`, parentJobId: jobId, status: 'queued' },
      ],
      latest: { deviceCount: 4, byStatus: { canceled: 3, skipped: 1 } },
    })
  })

  it('has the rows of a device', async () => {
    const jobId = await givenEnded()

    const { body } = await api.send('GET', `/jobs/v2/${jobId}/lineage?deviceId=d0`)

    expect(body.deviceJobs).toMatchObject([{ deviceId: 'd0', jobId, status: 'skipped' }])
    expect(body).not.toHaveProperty('latest')
    expect((await api.send('GET', '/jobs/v2/nothing/lineage')).status).toBe(404)
  })
})
