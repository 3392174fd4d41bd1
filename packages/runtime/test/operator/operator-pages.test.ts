import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { get as httpsGet } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jobKey } from '@muster/contract'
import { migrate } from '@muster/store'
import { createDatabase, uniquePrefix } from '@muster/testkit'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { type RunningHub, runRoles } from '../../src/hub/hub.ts'
import type { Hub } from '../../src/hub/role.ts'

const token = 'a-token-of-the-operator'
const bearer = { authorization: `Bearer ${token}` }

let dataDir = ''
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'muster-operator-'))
})
afterAll(() => rm(dataDir, { recursive: true }))

/** A process of the API with a database of its own. Its log is in `lines`. */
async function opened({
  env = {},
  start = () => {},
}: {
  env?: Readonly<Record<string, string>>
  start?: (hub: Hub) => void
} = {}) {
  const database = await createDatabase(inject('databaseUrl'))
  onTestFinished(async () => database[Symbol.asyncDispose]())
  await migrate(database.url)
  const config = loadConfig(
    { dataDir },
    {
      DATABASE_URL: database.url,
      REDIS_URL: inject('redisUrl'),
      MUSTER_REDIS_PREFIX: uniquePrefix(),
      MUSTER_HTTPS_PORT: '0',
      MUSTER_HTTP_PORT: '0',
      MUSTER_SHUTDOWN_SECONDS: '1',
      MUSTER_OPERATOR_TOKEN: token,
      ...env,
    },
  )
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const api = {
    name: 'api',
    async start(hub: Hub) {
      start(hub)
      return { stop: async () => {} }
    },
  } as const
  const running = await runRoles([api], config, { log })
  onTestFinished(() => running.stop('test'))
  const at = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${running.ports.http}${path}`, init)
  return { running, at, lines }
}

async function overTls({ hub, ports }: RunningHub, path: string): Promise<number | undefined> {
  const { ca } = hub.front.tls
  const sent = httpsGet({ host: 'localhost', port: ports.https ?? 0, path, ca, headers: bearer })
  const [response] = await once(sent, 'response')
  response.resume()
  return response.statusCode
}

describe('the door of the operator', () => {
  it('L6 opens for the token, as a bearer token and as the password of any user', async () => {
    const { at } = await opened()
    const basic = `Basic ${Buffer.from(`ada:${token}`).toString('base64')}`

    expect((await at('/internal/scaling', { headers: bearer })).status).toBe(200)
    expect((await at('/internal/scaling', { headers: { authorization: basic } })).status).toBe(200)
  })

  it.each([
    ['no token', {}, 'missing'],
    ['another scheme', { authorization: `Digest ${token}` }, 'missing'],
    ['another token', { authorization: 'Bearer sesame' }, 'wrong'],
    ['a longer token', { authorization: `Bearer ${token}x` }, 'wrong'],
    ['another password', { authorization: `Basic ${Buffer.from('ada:sesame').toString('base64')}` }, 'wrong'],
  ])('L6 stays shut for %s, and logs who asked, without what was shown', async (_, headers, reason) => {
    const { at, lines } = await opened()

    const refused = await at('/internal/scaling', { headers })

    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toMatch(/^Basic realm=.*, Bearer realm=/)
    const logged = lines.filter((line) => line.includes('operatorRefused'))
    expect(logged).toHaveLength(1)
    expect(JSON.parse(logged[0] ?? '')).toMatchObject({ reason, path: '/internal/scaling', address: '127.0.0.1' })
    expect(logged[0]).not.toMatch(/sesame|a-token/)
  })

  it('L6 is not there without a token in the configuration, and says so', async () => {
    const { at } = await opened({ env: { MUSTER_OPERATOR_TOKEN: '' } })

    const absent = await at('/internal/scaling', { headers: bearer })

    expect(absent.status).toBe(404)
    expect(await absent.text()).toBe('MUSTER_OPERATOR_TOKEN is not set, so there is nothing below /internal\n')
  })

  it('L6 is on the plain port only', async () => {
    const { running } = await opened()

    expect(await overTls(running, '/internal/scaling')).toBe(404)
  })

  it('L6 leads to pages that only show', async () => {
    const { at } = await opened()

    const refused = await at('/internal/queues/api/queues/work/pause', { method: 'PUT', headers: bearer })

    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect((await at('/internal/other', { headers: bearer })).status).toBe(404)
  })
})

describe('the scaling page', () => {
  it('L7 has the load of each role', async () => {
    const { at } = await opened()

    expect(await (await at('/internal/scaling', { headers: bearer })).json()).toEqual({ worker: 0, gateway: 0, api: 0 })
  })

  it('L7 has the requests that the process is answering', async () => {
    let begun = () => {}
    const beginning = new Promise<void>((resolve) => {
      begun = resolve
    })
    let answer = (_: Response) => {}
    const { at } = await opened({
      start: ({ front }) =>
        front.serve(
          () =>
            new Promise<Response>((resolve) => {
              answer = resolve
              begun()
            }),
        ),
    })
    const request = at('/twins/a')
    await beginning

    const during = await (await at('/internal/scaling', { headers: bearer })).json()
    answer(new Response('done'))
    await request

    expect(during).toMatchObject({ api: 1 })
    expect(await (await at('/internal/scaling', { headers: bearer })).json()).toMatchObject({ api: 0 })
  })

  it('L7 answers 503 when Postgres does not tell, so that who scales leaves everything as it is', async () => {
    const { running, at } = await opened()
    await running.hub.db.execute('drop table chunks cascade')

    const unknown = await at('/internal/scaling', { headers: bearer })

    expect(unknown.status).toBe(503)
    expect(await unknown.json()).toEqual({ error: 'the load is not known: Postgres does not tell' })
  })
})

describe('the view of the queues', () => {
  it('L8 loads nothing from another host', async () => {
    const { at } = await opened()

    const page = await at('/internal/queues/', { headers: bearer })
    const html = await page.text()

    expect(page.status).toBe(200)
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'/)
    expect(html).toContain('<base href="/internal/queues/" />')
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//)
    const assets = [...html.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, path]) => path)
    expect(assets.length).toBeGreaterThan(3)
    for (const path of assets) {
      expect((await at(`/internal/queues/${path}`, { headers: bearer })).status).toBe(200)
      expect((await at(`/internal/queues/${path}`)).status).toBe(401)
    }
  })

  it('L8 shows the wake-ups, with the key of their job and no more', async () => {
    const { running, at } = await opened()
    await running.hub.bus.wakeChunks(jobKey(42), { type: 'scheduleDeviceMethod', priority: 500 })

    const shown = await at('/internal/queues/api/queues?activeQueue=work&page=1&jobsPerPage=10', { headers: bearer })
    expect(await shown.json()).toMatchObject({
      queues: expect.arrayContaining([
        expect.objectContaining({
          name: 'work',
          readOnlyMode: true,
          counts: expect.objectContaining({ waiting: 8 }),
          jobs: expect.arrayContaining([
            expect.objectContaining({ data: { key: '42', type: 'scheduleDeviceMethod', turn: 0 } }),
          ]),
        }),
      ]),
    })
  })
})
