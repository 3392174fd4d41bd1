import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api[Symbol.asyncDispose]())

const job = {
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'reboot', responseTimeoutInSeconds: 60 },
  queryCondition: '*',
  maxExecutionTimeInSeconds: 3600,
}
const put = (jobId: string, windows: unknown, changes: object = {}) =>
  api.send('PUT', `/jobs/v2/${jobId}`, { ...job, ...changes, windows })

// The time of these tests is Monday, noon.
describe('R94 the windows of a job', () => {
  it('are shown as they were given, and not in the versions of 2016', async () => {
    const windows = [
      { cron: '0 22 * * *', durationMinutes: 360, timeZone: 'tags.timeZone' },
      { cron: '0 13 * * 1', durationMinutes: 30, strictEnd: true },
    ]

    expect((await put('shown', windows)).status).toBe(200)

    expect((await api.send('GET', '/jobs/v2/shown')).body).toMatchObject({ windows })
    const old = await api.send('GET', '/jobs/v2/shown', undefined, { apiVersion: '2016-11-14' })
    expect(old.body).not.toHaveProperty('windows')
  })

  it.each<readonly [string, readonly object[], object, string]>([
    [
      'late',
      [{ cron: '0 22 * * *', durationMinutes: 360 }],
      {},
      'windows must open before the job ends at 2026-03-02T13:00:00.000Z, by its maxExecutionTimeInSeconds, the first opens at 2026-03-02T22:00:00.000Z',
    ],
    ['edge', [{ cron: '0 13 * * *', durationMinutes: 1 }], {}, 'the first opens at 2026-03-02T13:00:00.000Z'],
    [
      'never',
      [{ cron: '0 0 30 2 *', durationMinutes: 60 }],
      {},
      'windows.0.cron must come at some time, this one never does, got "0 0 30 2 *"',
    ],
    [
      'never-beside',
      [
        { cron: '30 12 * * *', durationMinutes: 60 },
        { cron: '0 0 31 2 *', durationMinutes: 60, timeZone: 'tags.zone' },
      ],
      {},
      'windows.1.cron must come at some time, this one never does, got "0 0 31 2 *"',
    ],
    // 14 hours after the deadline in UTC, so at the deadline in the zone that is first.
    [
      'zones',
      [{ cron: '0 3 3 * *', durationMinutes: 60, timeZone: 'tags.zone' }],
      {},
      'the first opens at 2026-03-03T03:00:00.000Z, up to 14 hours earlier in the zone of a device',
    ],
    // It is over 14 hours before the start in UTC, so at the start in a zone as far behind.
    [
      'zones-before',
      [{ cron: '0 21 1 3 *', durationMinutes: 60, timeZone: 'tags.zone' }],
      {},
      'the first opens at 2027-03-01T21:00:00.000Z',
    ],
    [
      'mixed',
      [
        { cron: '0 13 * * *', durationMinutes: 60 },
        { cron: '0 3 3 * *', durationMinutes: 60, timeZone: 'tags.zone' },
      ],
      {},
      'the first opens at 2026-03-02T13:00:00.000Z',
    ],
    [
      'strict',
      [{ cron: '* * * * *', durationMinutes: 1, strictEnd: true, timeZone: 'tags.zone' }],
      {},
      'windows.0.durationMinutes must be longer than the response timeout of 60 s, because of strictEnd, got 1',
    ],
  ])('that never open for it are refused: %s', async (jobId, windows, changes, message) => {
    const { status, body } = await put(jobId, windows, changes)

    expect([status, body.Message]).toEqual([400, expect.stringContaining(message)])
    expect((await api.send('GET', `/jobs/v2/${jobId}`)).status).toBe(404)
  })

  it.each<readonly [string, readonly object[], object]>([
    ['open', [{ cron: '0 11 * * *', durationMinutes: 90 }], {}],
    ['soon', [{ cron: '59 12 * * *', durationMinutes: 1 }], {}],
    [
      'zone',
      [{ cron: '0 22 * * *', durationMinutes: 60, timeZone: 'Asia/Tokyo' }],
      { maxExecutionTimeInSeconds: 3601 },
    ],
    ['zone-first', [{ cron: '59 2 3 3 *', durationMinutes: 1, timeZone: 'tags.zone' }], {}],
    ['zone-last', [{ cron: '1 21 1 3 *', durationMinutes: 60, timeZone: 'tags.zone' }], {}],
    ['start', [{ cron: '0 22 * * *', durationMinutes: 60 }], { startTime: '2026-03-02T22:30:00Z' }],
    [
      'twins',
      [{ cron: '30 12 * * *', durationMinutes: 1, strictEnd: true }],
      { type: 'scheduleUpdateTwin', updateTwin: { etag: '*', tags: { a: 1 } } },
    ],
  ])('that open in time are taken: %s', async (jobId, windows, changes) => {
    expect((await put(`ok-${jobId}`, windows, changes)).status).toBe(200)
  })

  it('of a schedule are judged at its first run', async () => {
    const windows = [{ cron: '0 22 * * *', durationMinutes: 60 }]
    const putAt = (cron: string) => api.send('PUT', '/schedules/nightly', { cron, job: { ...job, windows } })

    expect((await putAt('30 20 * * *')).body.Message).toContain('job: windows must open before the job ends')
    expect((await putAt('30 21 * * *')).status).toBe(200)
    expect((await api.send('GET', '/schedules/nightly')).body.job).toMatchObject({ windows })
  })
})
