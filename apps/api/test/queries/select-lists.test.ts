import { jobKey } from '@muster/contract'
import { expireOverdueJobs, startJob } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { givenFleet } from '../given-fleet.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  await givenFleet(api)
})
afterAll(async () => api[Symbol.asyncDispose]())

const query = (text: string, headers: Record<string, string> = {}) =>
  api.send('POST', '/devices/query', { query: text }, { headers })
const tokenOf = (reply: { headers: Headers }) => reply.headers.get('x-ms-continuation') ?? ''

async function pagesOf(text: string, size: number) {
  const replies = [await query(text, { 'x-ms-max-item-count': `${size}` })]
  for (let token = tokenOf(replies[0] ?? { headers: new Headers() }); token !== ''; ) {
    const reply = await query(text, { 'x-ms-max-item-count': `${size}`, 'x-ms-continuation': token })
    replies.push(reply)
    token = tokenOf(reply)
  }
  return replies
}

describe('a query answers', () => {
  it.each([
    ['how many there are', 'SELECT COUNT() AS total FROM devices', [{ total: 11 }]],
    ['in any letter case', "select count() as n from devices where tags.depot = 'quay'", [{ n: 2 }]],
    [
      'with aggregates',
      `SELECT AVG(properties.reported.load) AS a, MIN(properties.reported.load) AS lo, MAX(properties.reported.load) AS hi,
              SUM(properties.reported.load) AS s
         FROM devices WHERE tags.depot = 'harbour'`,
      [{ a: (98 + 81 + 35) / 3, lo: 35, hi: 98, s: 214 }],
    ],
    [
      'with aggregates of what is a number',
      "SELECT SUM(properties.reported.load) AS s FROM devices WHERE STARTSWITH(deviceId, 'bus')",
      [{ s: 100 }],
    ],
    [
      'with members, and without those that are not there',
      "SELECT properties.reported.soft FROM devices WHERE deviceId IN ['tram-01', 'bus-02']",
      [{}, { soft: '5.2.0' }],
    ],
    [
      'with groups',
      'SELECT status, COUNT() AS n FROM devices GROUP BY status',
      [
        { status: 'disabled', n: 1 },
        { status: 'enabled', n: 10 },
      ],
    ],
  ])('%s, as Raw', async (_, text, rows) => {
    const reply = await query(text)

    expect(reply.status).toBe(200)
    expect(reply.body).toEqual(rows)
    expect(reply.headers.get('x-ms-item-type')).toBe('Raw')
    expect(reply.headers.has('x-ms-continuation')).toBe(false)
  })

  it('the first so many twins, as Twin', async () => {
    const reply = await query('SELECT TOP 3 * FROM devices')

    expect(reply.body.map((twin: { deviceId: string }) => twin.deviceId)).toEqual(['Bus-04', 'box-01', 'bus-01'])
    expect(reply.headers.get('x-ms-item-type')).toBe('Twin')
    expect(reply.headers.has('x-ms-continuation')).toBe(false)
  })

  it('modules, as Twin', async () => {
    const none = await query('SELECT * FROM devices.modules')

    expect([none.status, none.body, none.headers.get('x-ms-item-type')]).toEqual([200, [], 'Twin'])
  })

  it('the failed device jobs of a job, as DeviceJob', async () => {
    await api.send('PUT', '/jobs/v2/ring', {
      type: 'scheduleDeviceMethod',
      cloudToDeviceMethod: { methodName: 'ring' },
      queryCondition: "STARTSWITH(deviceId, 'tram')",
      maxExecutionTimeInSeconds: 60,
    })
    const { rows } = await api.db.execute<{ key: string }>(
      "select job_key::text as key from jobs where job_id = 'ring'",
    )
    const key = jobKey(rows[0]?.key ?? '')
    await startJob(api.db, key, { maxRunningJobs: 9, chunkSize: () => 2 }, api.clock.now())
    const text = "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'ring' AND devices.jobs.status = 'failed'"
    const before = await query(text)
    await expireOverdueJobs(api.db, { limit: 9 }, new Date(api.clock.now().getTime() + 60_000))

    const failed = await query(text)

    expect(before.body).toEqual([])
    expect(failed.headers.get('x-ms-item-type')).toBe('DeviceJob')
    expect(failed.body).toMatchObject(
      ['tram-01', 'tram-02', 'tram-03'].map((deviceId) => ({
        deviceId,
        jobId: 'ring',
        status: 'failed',
        outcome: {},
        error: { code: 'JobRunPreconditionFailed' },
      })),
    )
  })
})

describe('a query is refused', () => {
  it.each([
    ['SELECT deviceId, COUNT() AS n FROM devices', 'Line 1:8'],
    ['SELECT jobId FROM devices.jobs', 'Line 1:'],
    ["SELECT * FROM devices.jobs WHERE tags.depot = 'quay'", 'Line 1:34'],
    ['SELECT * FROM things', 'Line 1:15'],
    ["SELECT * FROM devices WHERE deviceId = 'tram-01' GROUP BY tags.depot", 'Line 1:'],
    ['SELECT TOP 0 * FROM devices', 'Line 1:12'],
    [`SELECT * FROM devices WHERE deviceId = '${'x'.repeat(8152)}'`, 'query must be at most 8192 characters long'],
  ])('%.70s', async (text, complaint) => {
    const refused = await query(text)

    expect(refused.status).toBe(400)
    expect(refused.headers.get('iothub-errorcode')).toBe('ArgumentInvalid')
    expect(refused.body.Message).toContain(complaint)
  })
})

describe('the pages of a query', () => {
  it.each([
    ['members', 'SELECT deviceId, tags.depot FROM devices', 11],
    ['groups', 'SELECT tags.depot, COUNT() AS n FROM devices GROUP BY tags.depot', 6],
    [
      'groups by objects',
      'SELECT properties.reported.radio, COUNT() AS n FROM devices GROUP BY properties.reported.radio',
      8,
    ],
    ['the first so many', 'SELECT TOP 7 deviceId FROM devices', 7],
    ['the first so many groups', 'SELECT TOP 5 tags.depot FROM devices GROUP BY tags.depot', 5],
  ])('of %s are all of it, cut', async (_, text, count) => {
    const [whole, ...others] = await pagesOf(text, 100)
    const pages = await pagesOf(text, 2)

    expect(others).toEqual([])
    expect(whole?.body).toHaveLength(count)
    expect(pages.flatMap((page) => page.body)).toEqual(whole?.body)
    expect(pages.map((page) => page.body.length)).toEqual(
      Array.from({ length: Math.ceil(count / 2) }, (_, page) => Math.min(2, count - page * 2)),
    )
  })

  it('of groups have tokens that fit into a header, however long the keys are', async () => {
    const long = (n: number) => ({ list: Array.from({ length: 400 }, () => 'é"\\'), n })
    const drafts = [1, 2, 3].map((n) => ({ id: `long-${n}`, importMode: 'create', tags: { depot: long(n) } }))
    await api.send('POST', '/devices', drafts)

    const pages = await pagesOf(
      "SELECT tags.depot, COUNT() AS n FROM devices WHERE STARTSWITH(deviceId, 'long') GROUP BY tags.depot",
      1,
    )

    expect(
      pages
        .flatMap((page) => page.body)
        .map(({ depot }) => depot.n)
        .sort(),
    ).toEqual([1, 2, 3])
    expect(Math.max(...pages.map((page) => tokenOf(page).length))).toBeLessThan(2000)
  })

  it.each([
    ['SELECT TOP 5 * FROM devices', 'SELECT TOP 6 * FROM devices'],
    ['SELECT TOP 5 * FROM devices', 'SELECT * FROM devices'],
    ['SELECT deviceId FROM devices', 'SELECT * FROM devices'],
    ['SELECT tags.depot FROM devices GROUP BY tags.depot', 'SELECT tags.line FROM devices GROUP BY tags.line'],
    ['SELECT * FROM devices', 'SELECT * FROM devices.modules'],
    ['SELECT * FROM devices', 'SELECT * FROM devices.jobs'],
  ])('of %s do not go on in %s', async (text, other) => {
    const token = tokenOf(await query(text, { 'x-ms-max-item-count': '2' }))

    const refused = await query(other, { 'x-ms-continuation': token })

    expect(token).not.toBe('')
    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain('ErrorCode:ArgumentInvalid;continuation token')
  })
})
