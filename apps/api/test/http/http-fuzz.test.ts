import { Agent, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { fuzzSeconds } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LiveApi, startLiveApi } from '../live-api.ts'
import { inPieces, mutatedRequest, type Random, randomOf } from './mutated-request.ts'
import { speak } from './raw-http.ts'

const attackers = 24
const growthBytesMax = 50 * 1024 * 1024

let api: LiveApi
beforeAll(async () => {
  api = await startLiveApi()
})
afterAll(() => api[Symbol.asyncDispose]())

/** One good request of each kind. */
function goodRequests(): string[] {
  const job = {
    jobId: 'j',
    type: 'scheduleUpdateTwin',
    queryCondition: "tags.a = 'b' AND properties.reported.c > 1",
    updateTwin: { etag: '*', tags: { a: [1, { b: null }] } },
    startTime: '2027-01-01T00:00:00Z',
  }
  const method = { methodName: 'm', payload: { a: 1 }, responseTimeoutInSeconds: 5 }
  const calls: [string, string, unknown?][] = [
    ['GET', '/jobs/v2/query?jobType=scheduleUpdateTwin&jobStatus=queued'],
    ['PUT', '/jobs/v2/j', job],
    ['PUT', '/jobs/v2/d/methods/j', { cloudToDeviceMethod: method }],
    ['GET', '/jobs/v2/j'],
    ['POST', '/jobs/v2/j/cancel'],
    [
      'POST',
      '/devices/query',
      { query: "SELECT tags.a, COUNT() AS n FROM devices WHERE tags.a IN ['b'] GROUP BY tags.a" },
    ],
    ['POST', '/devices/query', { query: "SELECT * FROM devices.jobs WHERE devices.jobs.status = 'failed'" }],
    ['GET', '/devices?top=5'],
    ['PUT', '/devices/d%20e', { deviceId: 'd e', status: 'enabled' }],
    ['POST', '/devices', [{ id: 'd', importMode: 'create', tags: { a: 1 } }]],
    ['DELETE', '/devices/d'],
    ['GET', '/twins/d'],
    ['PATCH', '/twins/d', { tags: { a: 1 }, properties: { desired: { b: null } } }],
    ['POST', '/twins/d/methods', method],
    ['GET', '/docs/start.js'],
    ['GET', '/health/ready'],
  ]
  return calls.map(([verb, path, body]) => {
    const text = body === undefined ? '' : JSON.stringify(body)
    const version = `${path.includes('?') ? '&' : '?'}api-version=2021-04-12`
    const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(text)}\r\n`
    return `${verb} ${path}${version} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${api.token}\r\n${length}\r\n${text}`
  })
}

it(
  'H8 whatever comes in, nothing fails inside, honest clients are served, and memory stays',
  async () => {
    const seed = Date.now()
    const random = randomOf(seed)
    const requests = goodRequests()
    const found: string[] = []
    const failures: string[] = []
    api.running.hub.events.on('requestFailed', ({ error }) => failures.push(describe(error)))
    const counts = { sent: 0, served: 0 }

    const attack = async (until: number) => {
      while (performance.now() < until) {
        const bytes = mutatedRequest(random, requests)
        const line = random() < 0.2 ? { port: api.https, ca: api.ca } : { port: api.http, ca: null }
        const options = { waitMs: 20 + random() * 200, halfClose: random() < 0.5 }
        const { statuses } = await speak(line, inPieces(random, bytes), options)
        if (statuses.some((status) => status === 500 || status === 502))
          found.push(JSON.stringify(bytes.toString('latin1')))
        counts.sent += 1
      }
    }
    const rounds = async (seconds: number) => {
      const until = performance.now() + seconds * 1000
      const honest = [serveHonestly(until, random, counts), serveHonestly(until, random, counts)]
      await Promise.all([...honest, ...Array.from({ length: attackers }, () => attack(until))])
    }
    // What is compiled and cached once is there before it is measured.
    await rounds(fuzzSeconds() * 0.2)
    const before = await heldBytes()
    await rounds(fuzzSeconds() * 0.8)
    const growth = (await heldBytes()) - before

    expect({ seed, found: found.slice(0, 3), failures: failures.slice(0, 3) }).toEqual({
      seed,
      found: [],
      failures: [],
    })
    expect(growth).toBeLessThan(growthBytesMax)
    expect(counts.sent).toBeGreaterThan(100)
    expect(counts.served).toBeGreaterThan(20)
  },
  (fuzzSeconds() + 60) * 1000,
)

/** Two requests of an ordinary client on a connection that it keeps. Each must be answered as if there was nobody else. */
async function serveHonestly(until: number, random: Random, counts: { served: number }): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  while (performance.now() < until) {
    for (const [path, status] of [
      ['/jobs/v2/query', 200],
      ['/twins/nobody', 404],
    ] as const) {
      expect(await statusOf(agent, `${path}?api-version=2021-04-12`)).toBe(status)
      counts.served += 1
    }
    await setTimeout(20 + random() * 50)
  }
  agent.destroy()
}

function statusOf(agent: Agent, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: api.token }
    const sent = request({ agent, host: '127.0.0.1', port: api.http, path, headers, timeout: 10_000 }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    })
    sent.once('timeout', () => sent.destroy(new Error('an honest client had no answer within 10 s')))
    sent.once('error', reject).end()
  })
}

async function heldBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  // Connections that were cut are let go in later turns of the event loop.
  for (let turn = 0; turn < 5; turn += 1) {
    await setTimeout(100)
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.stack}` : String(error)
}
