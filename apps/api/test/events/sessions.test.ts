import { readEvents } from '@muster/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSessions } from '../../src/events/session-cookie.ts'
import { type Api, hostName, noon, openApi, tokenOf } from '../api.ts'
import { putJob } from './listen-to.ts'

let api: Api
beforeEach(async () => {
  api = await openApi()
})
afterEach(() => api[Symbol.asyncDispose]())

/** The cookie of a new session, as a browser sends it back. */
async function openSession(policy: string): Promise<string> {
  const { headers } = await api.send('POST', '/sessions', undefined, { policy })
  return headers.get('set-cookie')?.split(';')[0] ?? ''
}

const withCookie = (cookie: string) => ({ authorization: null, headers: { cookie: `theme=dark; ${cookie}` } })

describe('E11 the session of a browser', () => {
  it('is a cookie that no script reads and no other site sends, for an hour, and over TLS never in clear', async () => {
    const secure = await api.send('POST', '/sessions', undefined, { policy: 'service' })
    const plain = await api.app.request(`http://${hostName}/sessions?api-version=2021-04-12`, {
      method: 'POST',
      headers: { authorization: tokenOf(api, 'iothubowner') },
    })

    const form = 'muster-session=[\\w-]+\\.[\\w-]+; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict'
    expect(secure.body).toEqual({
      account: 'policy:service',
      permissions: ['ServiceConnect'],
      expiryTime: '2026-03-02T13:00:00.000Z',
    })
    expect(secure.headers.get('set-cookie')).toMatch(new RegExp(`^${form}; Secure$`))
    expect(plain.headers.get('set-cookie')).toMatch(new RegExp(`^${form}$`))
  })

  it('opens what a GET reads, and its streams end with it', async () => {
    await putJob(api, 'seen')
    const cookie = await openSession('service')

    const job = await api.send('GET', '/jobs/v2/seen', undefined, withCookie(cookie))
    const response = await api.app.request(`https://${hostName}/jobs/v2/seen/events?api-version=2021-04-12`, {
      headers: { cookie },
    })
    await using stream = readEvents(response)
    await stream.until('created')
    api.clock.time = new Date(noon.getTime() + 3_600_000)

    expect(job.body).toMatchObject({ jobId: 'seen' })
    expect((await stream.rest()).map(({ event }) => event)).toEqual(['dropped'])
    expect((await api.send('GET', '/jobs/v2/seen', undefined, withCookie(cookie))).status).toBe(401)
  })

  it('changes nothing: every other method wants a token', async () => {
    await putJob(api, 'safe')
    const cookie = await openSession('iothubowner')

    const statuses = []
    for (const [method, path] of [
      ['PUT', '/jobs/v2/new'],
      ['POST', '/jobs/v2/safe/cancel'],
      ['PATCH', '/twins/d1'],
      ['DELETE', '/devices/d1'],
      ['POST', '/sessions'],
    ] as const) {
      statuses.push((await api.send(method, path, undefined, withCookie(cookie))).status)
    }
    const overridden = await api.send(
      'POST',
      '/twins/d1',
      {},
      {
        ...withCookie(cookie),
        headers: { cookie, 'x-http-method-override': 'PATCH' },
      },
    )

    expect([...statuses, overridden.status]).toEqual([401, 401, 401, 401, 401, 401])
  })

  it('allows what its token allowed, and no more', async () => {
    const cookie = await openSession('service')

    const { status, body } = await api.send('GET', '/devices', undefined, withCookie(cookie))

    expect([status, body.Message]).toEqual([
      401,
      "ErrorCode:IotHubUnauthorized;Authorization rule 'service' does not allow access for '/devices', it needs RegistryRead",
    ])
  })

  it('allows no more than its policy does 5 s after a change of it, and nothing when the policy is gone', async () => {
    const cookie = await openSession('iothubowner')
    const open = async (path: string) => (await api.send('GET', path, undefined, withCookie(cookie))).status
    const later = () => {
      api.clock.time = new Date(api.clock.time.getTime() + 5_000)
    }

    const before = await open('/devices')
    await api.db.execute(`update policies set permissions = '{ServiceConnect}' where name = 'iothubowner'`)
    later()
    const lesser = [await open('/devices'), await open('/jobs/v2/query')]
    await api.db.execute(`update policies set permissions = '{ServiceConnect,RegistryRead}' where name = 'iothubowner'`)
    later()
    const again = await open('/devices')
    await api.db.execute(`delete from policies where name = 'iothubowner'`)
    later()

    expect([before, ...lesser, again, await open('/devices')]).toEqual([200, 401, 200, 200, 401])
  })

  it('is forgotten by DELETE, for which the cookie is enough', async () => {
    const cookie = await openSession('service')

    const { status, headers } = await api.send('DELETE', '/sessions', undefined, withCookie(cookie))

    expect([status, headers.get('set-cookie')]).toEqual([
      204,
      'muster-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure',
    ])
  })

  it('gives way to a token, good or bad', async () => {
    const cookie = await openSession('service')

    const bad = await api.send('GET', '/jobs/v2/query', undefined, { authorization: 'none', headers: { cookie } })
    const good = await api.send('GET', '/devices', undefined, { headers: { cookie } })

    expect([bad.status, good.status]).toEqual([401, 200])
  })

  it('is refused when it was made by another hub, was changed, or is none', async () => {
    const access = { account: 'policy:iothubowner', permissions: ['ServiceConnect'], expiresAtMs: 1e15 } as const
    const foreign = createSessions('another secret').open(access, noon).token
    const [content = '', signature = ''] = (await openSession('service')).split('=')[1]?.split('.') ?? []
    const richer = Buffer.from(JSON.stringify(access)).toString('base64url')

    for (const value of [foreign, `${richer}.${signature}`, content, `${content}.`, `.${signature}`, '', '.', '{}']) {
      const reply = await api.send('GET', '/jobs/v2/query', undefined, withCookie(`muster-session=${value}`))
      expect(reply.status, value).toBe(401)
    }
  })

  it('ends with its token, if that is earlier', async () => {
    const end = noon.getTime() + 60_000
    const { access, seconds } = api.sessions.open(
      { account: 'client:console', permissions: ['ServiceConnect'], expiresAtMs: end },
      noon,
    )

    expect([access.expiresAtMs, seconds]).toEqual([end, 60])
  })
})
