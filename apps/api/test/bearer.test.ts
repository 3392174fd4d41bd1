import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type LiveApi, startLiveApi } from './live-api.ts'

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
  return { status: response.status, code: response.headers.get('iothub-errorcode'), message: String(message) }
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

  it('H10 of an issuer that is away gets 503 and is not judged', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const from = address(gone)
    gone.close()
    const own = await startLiveApi({ MUSTER_OIDC_ISSUER: from, MUSTER_OIDC_AUDIENCE: 'api://muster' })
    onTestFinished(() => own[Symbol.asyncDispose]())
    const failed: unknown[] = []
    own.running.hub.events.on('requestFailed', ({ error }) => failed.push(error))

    const answer = await get('/jobs/v2/query', `Bearer ${await sign({ roles: ['ServiceConnect'] }, from)}`, own)

    expect(answer).toMatchObject({ status: 503, code: 'ServiceUnavailable' })
    expect(failed).toHaveLength(1)
    expect((await get('/devices', own.token, own)).status).toBe(200)
  })
})

it('without a configured issuer a bearer token is no token', async () => {
  const own = await startLiveApi()
  onTestFinished(() => own[Symbol.asyncDispose]())

  const answer = await get('/jobs/v2/query', `Bearer ${await sign({ roles: ['ServiceConnect'] })}`, own)

  expect(answer).toMatchObject({ status: 401, code: 'IotHubUnauthorized' })
  expect(answer.message).toContain('expected SharedAccessSignature')
})
