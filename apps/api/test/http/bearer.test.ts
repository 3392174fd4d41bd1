import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createBearerVerifier } from '@muster/auth'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { noon, openApi } from '../api.ts'
import { type LiveApi, startLiveApi } from '../live-api.ts'

const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }
const issuer = createServer((request, response) => {
  const configuration = { issuer: address(issuer), jwks_uri: `${address(issuer)}/keys` }
  response.end(JSON.stringify(request.url === '/keys' ? { keys: [jwk] } : configuration))
})

let api: LiveApi
beforeAll(async () => {
  await once(issuer.listen(0, '127.0.0.1'), 'listening')
  api = await startLiveApi({
    MUSTER_OIDC_ISSUER: address(issuer),
    MUSTER_OIDC_AUDIENCE: 'api://muster',
    MUSTER_THROTTLE: '{"twinReads":"2/min"}',
  })
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  issuer.close()
})

function address(server: typeof issuer): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function sign(claims: Record<string, unknown>, from = address(issuer)): Promise<string> {
  const payload = { iss: from, aud: 'api://muster', azp: 'backend', ...claims }
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: 'k' }).setExpirationTime('1h').sign(privateKey)
}

async function get(path: string, authorization: string, { http } = api) {
  const response = await fetch(`http://127.0.0.1:${http}${path}?api-version=2021-04-12`, { headers: { authorization } })
  const { Message: message = '' } = Object(await response.json())
  const [code, retryAfter] = ['iothub-errorcode', 'retry-after'].map((name) => response.headers.get(name))
  return { status: response.status, code, retryAfter, message: String(message) }
}

describe('H9 a bearer token', () => {
  it('opens what its roles name, and nothing else', async () => {
    const token = await sign({ roles: ['ServiceConnect'] })

    const jobs = await get('/jobs/v2/query', `Bearer ${token}`)
    const devices = await get('/devices', `bearer ${token}`)

    expect(jobs.status).toBe(200)
    expect(devices).toEqual({
      status: 401,
      code: 'IotHubUnauthorized',
      retryAfter: null,
      message:
        "ErrorCode:IotHubUnauthorized;Authorization rule 'backend' does not allow access for '/devices', it needs RegistryRead",
    })
  })

  it('that is not good is refused with the reason', async () => {
    const token = await sign({ aud: 'another', roles: ['ServiceConnect'] })

    const { status, code, message } = await get('/jobs/v2/query', `Bearer ${token}`)

    expect([status, code]).toEqual([401, 'IotHubUnauthorizedAccess'])
    expect(message).toContain('Unauthorized: unexpected "aud" claim value')
  })

  it('leaves SAS tokens as they are', async () => {
    expect((await get('/devices', api.token)).status).toBe(200)
  })

  it('is throttled by its client', async () => {
    const statusOf = async (azp: string) =>
      (await get('/twins/d1', `Bearer ${await sign({ azp, roles: ['ServiceConnect'] })}`)).status

    expect([await statusOf('a'), await statusOf('a'), await statusOf('a')]).toEqual([404, 404, 429])
    expect(await statusOf('b')).toBe(404)
  })

  it('whose client is called as a policy leaves the policy its own limit', async () => {
    const token = await sign({ azp: 'iothubowner', roles: ['ServiceConnect'] })
    const statuses = []
    for (const authorization of [`Bearer ${token}`, `Bearer ${token}`, `Bearer ${token}`, api.token]) {
      statuses.push((await get('/twins/d1', authorization)).status)
    }

    expect(statuses).toEqual([404, 404, 429, 404])
  })

  it.each(['is away', 'hangs'])('H10 of an issuer that %s gets 503 and is not judged', async (state) => {
    const gone = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void gone.close().closeAllConnections())
    await once(gone, 'listening')
    const from = address(gone)
    if (state === 'is away') gone.close()
    const own = await startLiveApi({ MUSTER_OIDC_ISSUER: from, MUSTER_OIDC_AUDIENCE: 'api://muster' })
    onTestFinished(() => own[Symbol.asyncDispose]())
    const failed: unknown[] = []
    own.running.hub.events.on('requestFailed', ({ error }) => failed.push(error))
    own.running.hub.events.on('issuerFailed', ({ error }) => failed.push(error))

    const answer = await get('/jobs/v2/query', `Bearer ${await sign({ roles: ['ServiceConnect'] }, from)}`, own)

    expect(answer).toMatchObject({ status: 503, code: 'ServiceUnavailable', retryAfter: '5' })
    expect(failed).toHaveLength(2)
    expect((await get('/devices', own.token, own)).status).toBe(200)
  })
})

it('H10 a token goes on for an hour when its issuer is away, and one with an unknown key gets 503', async () => {
  const server = createServer((request, response) => {
    const configuration = { issuer: from, jwks_uri: `${from}/keys` }
    response.end(JSON.stringify(request.url === '/keys' ? { keys: [jwk] } : configuration))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const from = address(server)
  const bearer = createBearerVerifier({ issuer: from, audience: 'api://muster', skewMs: 0, onFailure: () => {} })
  const own = await openApi({ bearer })
  onTestFinished(() => own[Symbol.asyncDispose]())
  const minutes = (count: number) => new Date(noon.getTime() + count * 60_000)
  const signed = (kid: string) =>
    new SignJWT({ iss: from, aud: 'api://muster', roles: ['ServiceConnect'] })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setExpirationTime(minutes(120))
      .sign(privateKey)
  const statusOf = async (kid: string) =>
    (await own.send('GET', '/jobs/v2/query', undefined, { authorization: `Bearer ${await signed(kid)}` })).status

  expect(await statusOf('k')).toBe(200)
  server.closeAllConnections()
  server.close()
  const statuses = []
  for (const passed of [11, 65, 75]) {
    own.clock.time = minutes(passed)
    statuses.push([await statusOf('k'), await statusOf('unknown')])
  }

  expect(statuses).toEqual([
    [200, 503],
    [200, 503],
    [503, 503],
  ])
})

it('without a configured issuer a bearer token is no token', async () => {
  const own = await startLiveApi()
  onTestFinished(() => own[Symbol.asyncDispose]())

  const answer = await get('/jobs/v2/query', `Bearer ${await sign({ roles: ['ServiceConnect'] })}`, own)

  expect(answer).toMatchObject({ status: 401, code: 'IotHubUnauthorized' })
  expect(answer.message).toContain('expected SharedAccessSignature')
})
