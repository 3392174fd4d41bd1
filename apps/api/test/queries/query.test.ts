import { jobKey } from '@muster/contract'
import { startJob } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { givenDevices } from '../given-devices.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  const entries = ['a', 'b', 'c', 'd', 'e'].map((id, index) => ({ id, importMode: 'create', tags: { floor: index } }))
  await api.send('POST', '/devices', entries)
  await api.send('PUT', '/jobs/v2/j1', {
    type: 'scheduleDeviceMethod',
    cloudToDeviceMethod: { methodName: 'm' },
    queryCondition: 'tags.floor > 1',
  })
  const { rows } = await api.db.execute<{ job_key: string }>('select job_key::text from jobs')
  await startJob(api.db, jobKey(rows[0]?.job_key ?? ''), { maxRunningJobs: 9, chunkSize: () => 2 }, api.clock.now())
})
afterAll(async () => api[Symbol.asyncDispose]())

const query = (text: unknown, headers: Record<string, string> = {}, apiVersion = '2021-04-12') =>
  api.send('POST', '/devices/query', { query: text }, { headers, apiVersion })
const ids = (rows: readonly { deviceId: string }[]) => rows.map(({ deviceId }) => deviceId).join('')
const next = (reply: { headers: Headers }) => ({ 'x-ms-continuation': reply.headers.get('x-ms-continuation') ?? '' })

describe('a query of devices', () => {
  it('answers whole twins in a bare array', async () => {
    const reply = await query('SELECT * FROM devices WHERE tags.floor >= 3')

    expect(ids(reply.body)).toBe('de')
    expect(reply.body[0]).toMatchObject({ tags: { floor: 3 }, properties: { desired: { $version: 1 } } })
    expect(reply.headers.get('x-ms-item-type')).toBe('Twin')
    expect(reply.headers.has('x-ms-continuation')).toBe(false)
  })

  it('pages', async () => {
    const text = 'SELECT * FROM devices'
    const size = { 'x-ms-max-item-count': '2' }
    const first = await query(text, size)
    const second = await query(text, { ...size, ...next(first) })
    const third = await query(text, { ...size, ...next(second) })

    expect([first, second, third].map(({ body }) => ids(body))).toEqual(['ab', 'cd', 'e'])
    expect(third.headers.has('x-ms-continuation')).toBe(false)
  })

  it('refuses the token of another query', async () => {
    const first = await query('SELECT * FROM devices', { 'x-ms-max-item-count': '2' })

    const refused = await query('SELECT * FROM devices WHERE tags.floor > 0', next(first))

    expect(refused.body.Message).toContain('ErrorCode:ArgumentInvalid;continuation token')
  })

  it('sees what was written just before', async () => {
    await api.send('PATCH', '/twins/a', { tags: { floor: 40 } })

    expect(ids((await query('SELECT * FROM devices WHERE tags.floor = 40')).body)).toBe('a')
  })

  it.each([
    ['SELECT * FROM devices WHERE tags.floor = ', 'Line 1:42'],
    ['DELETE FROM devices', 'Line 1:1'],
    [`SELECT * FROM devices WHERE deviceId = '${'x'.repeat(8192)}'`, 'query must be at most 8192 characters long'],
    [undefined, 'query is missing'],
    [7, 'query must be a string, got 7'],
  ])('refuses %.60s', async (text, complaint) => {
    const refused = await query(text)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain(complaint)
  })

  it.each(['\u0000', String.raw`\u0000`, String.raw`\ud800`])('copes with %j in a literal', async (text) => {
    const reply = await query(`SELECT * FROM devices WHERE tags.floor = '${text}' OR deviceId = '${text}'`)

    expect([200, 400]).toContain(reply.status)
  })
})

describe('a query of device jobs', () => {
  it('answers a row per device, pending from the start', async () => {
    const reply = await query(
      "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j1' AND devices.jobs.status = 'pending'",
    )

    expect(ids(reply.body)).toBe('cde')
    expect(reply.headers.get('x-ms-item-type')).toBe('DeviceJob')
    expect(reply.body[0]).toEqual({
      deviceId: 'c',
      jobId: 'j1',
      jobType: 'scheduleDeviceMethod',
      status: 'pending',
      startTimeUtc: '2026-03-02T12:00:00.000Z',
      endTimeUtc: '2026-03-02T13:00:00.000Z',
      createdDateTimeUtc: '2026-03-02T12:00:00.000Z',
      lastUpdatedDateTimeUtc: '2026-03-02T12:00:00.000Z',
      deliveries: 0,
      outcome: {},
      cloudToDeviceMethod: { methodName: 'm', payload: null, responseTimeoutInSeconds: 30, connectTimeoutInSeconds: 0 },
    })
  })

  it.each(['\u0000', String.raw`\u0000`])('finds nothing by a text with %j', async (text) => {
    for (const member of ['jobId', 'deviceId', 'jobType', 'status']) {
      const reply = await query(`SELECT * FROM devices.jobs WHERE ${member} = 'a${text}' OR ${member} IN ['${text}']`)

      expect(reply.status).toBe(200)
      expect(reply.body).toEqual([])
    }
  })

  it('pages, and spells types as its version does', async () => {
    const text = "SELECT * FROM devices.jobs WHERE jobType = 'scheduleDirectRequest'"
    const size = { 'x-ms-max-item-count': '2' }
    const first = await query(text, size, '2016-11-14')
    const second = await query(text, { ...size, ...next(first) }, '2016-11-14')

    expect(ids([...first.body, ...second.body])).toBe('cde')
    expect(first.body[0].jobType).toBe('scheduledDeviceMethod')
    expect(second.headers.has('x-ms-continuation')).toBe(false)
  })
})

describe('a page of a query', () => {
  let own: Api
  beforeAll(async () => {
    own = await openApi()
    await givenDevices(own, 1001)
    const { started } = await givenStartedJob(own, 'all', '*')
    if (started.kind !== 'started') throw new Error(started.kind)
  })
  afterAll(async () => own[Symbol.asyncDispose]())

  const queries = ['SELECT * FROM devices', 'SELECT deviceId FROM devices', 'SELECT * FROM devices.jobs']

  it.each(
    queries.flatMap((text) => [
      [text, undefined, [100, 100]] as const,
      [text, '1000', [1000, 1]] as const,
      [text, '1001', [1000, 1]] as const,
      [text, '0', [1, 1]] as const,
    ]),
  )('%s of the size %s holds the first and then the next %j rows', async (text, size, counts) => {
    const headers = size === undefined ? {} : { 'x-ms-max-item-count': size }
    const read = (more = {}) =>
      own.send('POST', '/devices/query', { query: text }, { headers: { ...headers, ...more } })

    const first = await read()
    const second = await read(next(first))

    expect([first, second].map(({ body }) => body.length)).toEqual(counts)
    expect(new Set(ids([...first.body, ...second.body]).match(/d\d+/g)).size).toBe(counts[0] + counts[1])
  })
})
