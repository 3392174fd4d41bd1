import { once } from 'node:events'
import { connect } from 'node:net'
import { jobKey, limits } from '@muster/contract'
import { type Db, startJob } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { type LiveApi, startLiveApi } from '../live-api.ts'
import { speak } from './raw-http.ts'

let api: Api
let live: LiveApi
beforeAll(async () => {
  api = await openApi()
  live = await startLiveApi()
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await live[Symbol.asyncDispose]()
})

const version = 'api-version=2021-04-12'
const longestId = (index: number) => `device-${index}-`.padEnd(limits.deviceIdLength, 'x')
const mostIds = Array.from({ length: limits.targetDeviceIds }, (_, index) => longestId(index))
const twinJob = { type: 'scheduleUpdateTwin', updateTwin: { etag: '*', tags: { a: 1 } } }
const methodJob = { type: 'scheduleDeviceMethod', cloudToDeviceMethod: { methodName: 'm' } }

/** An entry whose tags and desired properties are as large as they may be. */
const wholeEntry = (index: number) => ({
  id: longestId(index),
  importMode: 'create',
  tags: texts(2, limits.tagsBytes),
  properties: { desired: texts(8, limits.propertiesBytes) },
})

/** So many properties that are full texts but for the last, and take so many bytes as the limits count them. */
function texts(count: number, bytes: number): Record<string, string> {
  const length = bytes / count - 2
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`t${index}`, 'x'.repeat(length)]))
}

describe('H20 the longest list of devices', () => {
  it.each([
    ['plain', twinJob],
    ['tls', methodJob],
  ] as const)('is taken over the %s port, and the statistics of the job count it', async (line, job) => {
    const jobId = `longest-${line}`
    const body = JSON.stringify({ ...job, deviceIds: mostIds }, null, 2)
    const to = line === 'tls' ? { port: live.https, ca: live.ca } : { port: live.http, ca: null }

    const created = await speak(to, [head('PUT', `/jobs/v2/${jobId}`, body.length, 'Connection: close'), body])
    const read = await startAndRead(live.running.hub.db, jobId)

    expect(body.length).toBeGreaterThan(13_000_000)
    expect(created.statuses).toEqual([200])
    expect(read).toMatchObject({
      status: 'running',
      deviceJobStatistics: { deviceCount: 100_000, pendingCount: 100_000 },
    })
  })

  it('is previewed', async () => {
    const { status, body } = await api.send('POST', '/jobs/v2/preview', { deviceIds: mostIds })

    expect(status).toBe(200)
    expect(body).toMatchObject({ deviceCount: 100_000, unknownCount: 100_000 })
  })
})

it('H20 a bulk request takes a hundred entries with full tags and desired properties', async () => {
  const entries = Array.from({ length: 100 }, (_, index) => wholeEntry(index))

  const reply = await api.send('POST', '/devices', entries)
  const last = await api.send('GET', `/twins/${longestId(99)}`)

  expect(JSON.stringify(entries).length).toBeGreaterThan(4_000_000)
  expect(reply.body).toEqual({ isSuccessful: true, errors: [], warnings: [] })
  expect(last.body.properties.desired).toMatchObject(entries[99]?.properties.desired ?? {})
})

describe('H20 the limit of a body', () => {
  it.each([
    ['PUT', '/jobs/v2/sized', limits.jobBodyBytes, { ...methodJob, queryCondition: '*' }],
    ['POST', '/jobs/v2/preview', limits.jobBodyBytes, { queryCondition: '*' }],
    ['POST', '/devices', limits.bulkBodyBytes, [{ id: 'sized', importMode: 'create' }]],
    ['PUT', '/jobs/v2/lift/methods/sized-1', limits.requestBodyBytes, methodJob],
    ['PATCH', '/twins/sized', limits.requestBodyBytes, { tags: {} }],
  ])('of %s %s is %i bytes, and not one more', async (method, path, bytes, body) => {
    const send = (length: number) => {
      const headers = { 'content-length': String(length) }
      return api.send(method, path, undefined, { text: JSON.stringify(body).padEnd(length), headers })
    }

    const [taken, refused] = [await send(bytes), await send(bytes + 1)]

    expect([taken.status, refused.status]).toEqual([200, 413])
    expect(refused.body.Message).toContain(`ErrorCode:MessageTooLarge;the body is over ${bytes} bytes`)
  })

  it('is the same for one in chunks', async () => {
    const send = (length: number) =>
      api.send('POST', '/devices', undefined, { text: '[{"id":"in-chunks","importMode":"create"}]'.padEnd(length) })

    const [taken, refused] = [await send(limits.bulkBodyBytes), await send(limits.bulkBodyBytes + 1)]

    expect([taken.status, refused.status]).toEqual([200, 413])
  })
})

describe('H20 a large body', () => {
  it('may be large for its list alone: a patch is refused that no other request could bring', async () => {
    const tags = { a: Array(700_000).fill(0) }

    const refused = await api.send('PUT', '/jobs/v2/fat', {
      ...twinJob,
      updateTwin: { etag: '*', tags },
      queryCondition: '*',
    })

    expect(refused.status).toBe(413)
    expect(refused.body.Message).toMatch(
      /MessageTooLarge;updateTwin takes \d+ bytes of JSON, at most 1048576 are allowed/,
    )
  })

  it('may be large for its number of entries alone: one that is too large is refused, and no other', async () => {
    const reply = await api.send('POST', '/devices', [
      { id: 'fat', importMode: 'create', tags: { a: Array(700_000).fill(0) } },
      { id: 'slim', importMode: 'create' },
    ])

    expect(reply.body.errors).toMatchObject([{ deviceId: 'fat', errorCode: 'MessageTooLarge' }])
    expect((await api.send('GET', '/devices/slim')).status).toBe(200)
  })

  it.each([
    ['a list of millions that are no ids', { ...twinJob, deviceIds: Array(3_000_000).fill(0) }, 'got 3000000'],
    ['a text of megabytes', { ...twinJob, type: 'x'.repeat(15_000_000) }, 'is not known'],
    ['a text of escapes', { ...twinJob, type: '"'.repeat(7_000_000) }, 'is not known'],
    ['a condition of megabytes', { ...twinJob, queryCondition: 'a'.repeat(15_000_000) }, 'queryCondition has 15000000'],
    ['objects without number', { ...twinJob, other: Array(600_000).fill({}) }, 'has over 524288 arrays, objects'],
    ['members without number', { other: Array(300_000).fill({ a: 1 }) }, 'has over 524288 arrays, objects'],
  ])('of %s is refused', async (_, body, text) => {
    const refused = await api.send('PUT', '/jobs/v2/odd', body)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain(text)
  })

  it('that is no JSON is refused with the place of its first error, and of no other', async () => {
    const text = `{"a":\n${'b '.repeat(7_000_000)}`

    const refused = await api.send('PUT', '/jobs/v2/odd', undefined, { text })

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain('is not JSON (InvalidSymbol) at line 2, column 1 (position 6), near b b b')
  })
})

it('H20 four large bodies are served at a time, the fifth waits for its turn, and no small one does', async () => {
  const served: string[] = []
  const off = live.running.hub.events.on('requestServed', ({ route, status }) => served.push(`${status} ${route}`))
  const text = JSON.stringify({ queryCondition: '*' }).padEnd(2_000_000)
  const small = () => speak({ port: live.http, ca: null }, [head('GET', '/jobs/v2/query', 0, 'Connection: close')])
  const large = async () => {
    const socket = connect(live.http, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(head('POST', '/jobs/v2/preview', text.length, 'Connection: close', 'Expect: 100-continue'))
    await once(socket, 'data')
    return socket
  }
  const slow = await Promise.all(Array.from({ length: 4 }, large))
  // By then they are behind their tokens, too, and each has its turn.
  for (let round = 0; round < 5; round += 1) await small()

  const fifth = await large()
  fifth.write(text)
  for (let round = 0; round < 20; round += 1) expect((await small()).statuses).toEqual([200])
  expect(served).toEqual(Array(25).fill('200 /jobs/v2/query'))

  slow[0]?.destroy()
  await eventually(() => expect(served).toContain('400 /jobs/v2/preview'))
  await eventually(() => expect(served.filter((line) => line === '200 /jobs/v2/preview')).toHaveLength(1))
  for (const socket of slow.slice(1)) socket.write(text)
  await eventually(() => expect(served.filter((line) => line === '200 /jobs/v2/preview')).toHaveLength(4))

  off()
  for (const socket of [...slow, fifth]) socket.destroy()
})

function head(method: string, path: string, length: number, ...headers: string[]): string {
  const lines = [`${method} ${path}?${version} HTTP/1.1`, 'Host: localhost', `Authorization: ${live.token}`, ...headers]
  return [...lines, `Content-Length: ${length}`, '', ''].join('\r\n')
}

/** Starts a job as a dispatcher would, and reads it. */
async function startAndRead(db: Db, jobId: string): Promise<unknown> {
  const { rows } = await db.execute<{ key: string }>(`select job_key::text as key from jobs where job_id = '${jobId}'`)
  await startJob(db, jobKey(rows[0]?.key ?? ''), { maxRunningJobs: 100, chunkSize: () => 500 }, new Date())
  const response = await fetch(`http://127.0.0.1:${live.http}/jobs/v2/${jobId}?${version}`, {
    headers: { authorization: live.token },
  })
  return response.json()
}
