import { throttleNames } from '@muster/runtime'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { startLiveApi } from '../live-api.ts'

/** One call each a minute. */
const one = JSON.stringify(Object.fromEntries(throttleNames.map((name) => [name, '1/min'])))

async function opened(throttle: string): Promise<Api> {
  const api = await openApi({ throttle })
  onTestFinished(() => api[Symbol.asyncDispose]())
  return api
}

describe('H13 what an address counts as', () => {
  let api: Api
  beforeAll(async () => {
    api = await openApi({ throttle: one })
  })
  afterAll(() => api[Symbol.asyncDispose]())

  it.each([
    [
      'jobOperations',
      'PUT /jobs/v2/j1',
      'GET /jobs/v2/j1',
      'POST /jobs/v2/j1/cancel',
      'GET /jobs/v2/j1/stages',
      'POST /jobs/v2/j1/stages/next',
      'GET /jobs/v2/query',
    ],
    ['jobOperations', 'PUT /jobs/v2/d1/methods/j1'],
    ['jobOperations', 'PATCH /jobs/v2/j1', 'POST /jobs/v2/j1/pause', 'POST /jobs/v2/j1/resume'],
    ['jobOperations', 'POST /jobs/v2/stop', 'GET /jobs/v2/stops/1', 'POST /jobs/v2/stops/1/resume'],
    ['jobOperations', 'POST /jobs/v2/j1/rerun', 'POST /jobs/v2/j1/devices/d1/skip'],
    ['jobOperations', 'GET /jobs', 'POST /jobs/create', 'GET /jobs/j1', 'DELETE /jobs/j1'],
    ['jobOperations', 'GET /schedules', 'PUT /schedules/s1', 'GET /schedules/s1', 'DELETE /schedules/s1'],
    ['twinReads', 'GET /twins/d1', 'GET /twins/d1/modules/m1'],
    ['twinUpdates', 'PATCH /twins/d1', 'PUT /twins/d1', 'PATCH /twins/d1/modules/m1', 'PUT /twins/d1/modules/m1'],
    ['directMethods', 'POST /twins/d1/methods', 'POST /twins/d1/modules/m1/methods'],
    ['jobEvents', 'GET /jobs/v2/events', 'GET /jobs/v2/j1/events', 'GET /jobs/v2/j1/history'],
    ['jobEvents', 'POST /sessions', 'DELETE /sessions'],
    ['queries', 'POST /devices/query', 'POST /jobs/v2/preview'],
    ['queries', 'POST /jobs/v2/j1/devices/skip', 'GET /jobs/v2/j1/lineage'],
    ['registryOperations', 'GET /devices', 'POST /devices'],
    ['registryOperations', 'GET /devices/d1', 'PUT /devices/d1', 'DELETE /devices/d1'],
    ['registryOperations', 'GET /devices/d1/modules'],
    ['registryOperations', 'GET /devices/d1/modules/m1', 'PUT /devices/d1/modules/m1', 'DELETE /devices/d1/modules/m1'],
    ['registryOperations', 'GET /statistics/devices', 'GET /statistics/service'],
  ])('%s: %s and others', async (name, ...addresses) => {
    await api.throttles.take('jobOperations', 'policy:iothubowner')
    const seen: string[] = []
    const off = api.events.on('throttled', ({ throttle }) => seen.push(throttle))

    const replies = []
    for (const address of [addresses[0] ?? '', ...addresses]) {
      const [method = '', path = ''] = address.split(' ')
      replies.push(await api.send(method, path))
    }
    off()

    expect(replies.slice(1).map(({ status }) => status)).toEqual(addresses.map(() => 429))
    expect(new Set(seen)).toEqual(new Set([name]))
  })
})

describe('H13 over the limit', () => {
  it('is 429 with the time after which to try again, and in the form of its address', async () => {
    const api = await opened('{"twinReads":"1/min","directMethods":"1/min"}')
    for (const [method, path] of [
      ['GET', '/twins/d1'],
      ['POST', '/twins/d1/methods'],
    ] as const) {
      await api.send(method, path)

      const { status, headers, body } = await api.send(method, path)

      expect([status, headers.get('iothub-errorcode')]).toEqual([429, 'ThrottlingException'])
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(50)
      expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60)
      if (method === 'GET') expect(body.Message).toMatch(/^ErrorCode:ThrottlingException;Too many twinReads/)
      else expect(JSON.parse(body.Message).errorCode).toBe(429001)
    }
  })

  it('is one account only: another policy goes on', async () => {
    const api = await opened('{"jobOperations":"2/min"}')
    const statusOf = async (policy: string) => (await api.send('GET', '/jobs/v2/query', undefined, { policy })).status

    const owner = [await statusOf('iothubowner'), await statusOf('iothubowner'), await statusOf('iothubowner')]

    expect(owner).toEqual([200, 200, 429])
    expect(await statusOf('service')).toBe(200)
  })

  it('is not reached by what is refused for its token', async () => {
    const api = await opened('{"twinReads":"1/min"}')
    for (const policy of ['device', 'registryRead']) {
      expect((await api.send('GET', '/twins/d1', undefined, { policy })).status).toBe(401)
    }

    expect((await api.send('GET', '/twins/d1')).status).toBe(404)
  })
})

it('H13 a burst up to the limit is served at once', async () => {
  const api = await opened('{"jobOperations":"50/min"}')

  const replies = await Promise.all(Array.from({ length: 60 }, () => api.send('GET', '/jobs/v2/query')))

  expect(replies.filter(({ status }) => status === 200)).toHaveLength(50)
})

it('a direct method counts once for each 4 KiB of its request', async () => {
  const api = await opened('{"directMethods":"5/min"}')
  const text = JSON.stringify({ methodName: 'm', payload: 'x'.repeat(14 * 1024) })
  const headers = { 'content-length': String(text.length) }
  const call = async () => (await api.send('POST', '/twins/d1/methods', undefined, { text, headers })).status

  expect([await call(), await call()]).toEqual([404, 429])
  expect((await api.send('POST', '/twins/d1/methods', { methodName: 'm' })).status).toBe(404)
})

it('a direct method in chunks counts for what has come of it', async () => {
  await using api = await startLiveApi({ MUSTER_THROTTLE: '{"directMethods":"20/min"}' })
  const call = async (payloadBytes: number) => {
    const text = JSON.stringify({ methodName: 'm', payload: 'x'.repeat(payloadBytes) })
    const { status } = await fetch(`http://localhost:${api.http}/twins/d1/methods?api-version=2021-04-12`, {
      method: 'POST',
      headers: { authorization: api.token },
      // Of a stream nobody knows the length.
      body: new Blob([text]).stream(),
      duplex: 'half',
    })
    return status
  }

  expect([await call(10), await call(10), await call(100_000), await call(10)]).toEqual([404, 404, 404, 429])
})

it.each(['1000000000000000', '1000000000000000000000'])(
  'a length of %s, of a body that is never read, is not owed',
  async (length) => {
    const api = await opened('{"directMethods":"6000/s"}')
    const oversize = { text: '{}', headers: { 'content-length': length } }

    expect((await api.send('POST', '/twins/d1/methods', undefined, oversize)).status).toBe(413)
    expect((await api.send('POST', '/twins/d1/methods', { methodName: 'm' })).status).toBe(404)
  },
)

it('H14 without Redis requests are served', async () => {
  const api = await opened('{"twinReads":"1/min"}')
  await api.bus[Symbol.asyncDispose]()

  const replies = await Promise.all(Array.from({ length: 5 }, () => api.send('GET', '/twins/d1')))

  expect(replies.map(({ status }) => status)).toEqual(Array(5).fill(404))
})

it('nothing is limited unless it is said', async () => {
  const api = await opened('{}')

  const replies = await Promise.all(Array.from({ length: 120 }, () => api.send('GET', '/twins/d1')))

  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([404]))
})
