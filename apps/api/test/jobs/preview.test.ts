import { jobKey, limits } from '@muster/contract'
import { startJob } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  const entries = ['a', 'b', 'c', 'd'].map((id, index) => ({
    id,
    importMode: 'create',
    status: id === 'c' ? 'disabled' : 'enabled',
    tags: { floor: index },
  }))
  await api.send('POST', '/devices', entries)
  await connectDevice(api, 'b', 'gateway-1')
})
afterAll(async () => api[Symbol.asyncDispose]())

const preview = (body: unknown) => api.send('POST', '/jobs/v2/preview', body)

describe('the preview of a job', () => {
  it('says which devices its condition is for, and which of them are disabled or offline', async () => {
    const reply = await preview({ queryCondition: 'tags.floor > 0' })

    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({
      deviceCount: 3,
      disabledCount: 1,
      disconnectedCount: 2,
      unknownCount: 0,
      sample: [
        { deviceId: 'b', status: 'enabled', connectionState: 'Connected' },
        { deviceId: 'c', status: 'disabled', connectionState: 'Disconnected' },
        { deviceId: 'd', status: 'enabled', connectionState: 'Disconnected' },
      ],
    })
  })

  it.each([
    [{ queryCondition: '*' }, 4],
    [{ querycondition: "deviceId = 'a'", deviceIds: ['b', 'c'] }, 1],
    [{ deviceIds: ['b', 'nobody', 'b'] }, 2],
    [{ DeviceIds: 'd', queryCondition: null }, 1],
  ])('takes targets as a job does: %j', async (target, count) => {
    const reply = await preview(target)
    const jobId = `job-${JSON.stringify(target).length}-${count}`
    const created = await api.send('PUT', `/jobs/v2/${jobId}`, {
      type: 'scheduleDeviceMethod',
      cloudToDeviceMethod: { methodName: 'ping' },
      ...target,
    })
    const { rows } = await api.db.execute<{ key: string }>(
      `select job_key::text as key from jobs where job_id = '${jobId}'`,
    )
    const options = { maxRunningJobs: 9, chunkSize: () => 2 }
    const started = await startJob(api.db, jobKey(rows[0]?.key ?? ''), options, api.clock.now())

    expect([reply.status, created.status]).toEqual([200, 200])
    expect(reply.body.deviceCount).toBe(count)
    expect(started).toMatchObject({ kind: 'started', deviceCount: count })
  })

  it('creates nothing', async () => {
    const jobs = async () => (await api.send('GET', '/jobs/v2/query')).body.length
    const before = await jobs()

    await preview({ queryCondition: '*' })

    expect(await jobs()).toBe(before)
  })

  it.each([
    [{}, 'ArgumentNull', 'queryCondition is missing or empty'],
    [{ queryCondition: ' ' }, 'ArgumentNull', 'queryCondition is missing or empty'],
    [{ queryCondition: 'tags.floor ==' }, 'ArgumentInvalid', 'queryCondition: SQL query parse failed'],
    [{ queryCondition: 'x'.repeat(limits.queryLength) }, 'ArgumentInvalid', 'queryCondition has 8192 characters'],
    [{ deviceIds: [] }, 'ArgumentInvalid', 'deviceIds must hold 1 to'],
    [{ deviceIds: ['a/b'] }, 'ArgumentInvalid', 'deviceIds.0 must be a device id'],
  ])('refuses %.60j, as a job would be', async (target, code, complaint) => {
    const refused = await preview(target)
    const job = await api.send('PUT', '/jobs/v2/refused', {
      type: 'scheduleDeviceMethod',
      cloudToDeviceMethod: { methodName: 'ping' },
      ...target,
    })

    expect(refused.status).toBe(400)
    expect(refused.headers.get('iothub-errorcode')).toBe(code)
    expect(refused.body.Message).toContain(complaint)
    expect(job.body.Message).toBe(refused.body.Message)
  })

  it('leaves the name to jobs', async () => {
    const created = await api.send('PUT', '/jobs/v2/preview', {
      type: 'scheduleDeviceMethod',
      cloudToDeviceMethod: { methodName: 'ping' },
      queryCondition: "deviceId = 'a'",
      startTime: '2026-03-03T12:00:00Z',
    })

    const read = await api.send('GET', '/jobs/v2/preview')
    const cancelled = await api.send('POST', '/jobs/v2/preview/cancel')

    expect([created.status, read.status, cancelled.status]).toEqual([200, 200, 200])
    expect([read.body.jobId, cancelled.body.status]).toEqual(['preview', 'cancelled'])
  })
})
