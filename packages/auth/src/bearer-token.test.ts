import { EventEmitter, once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBearerVerifier } from './bearer-token.ts'
import { IssuerError } from './issuer-keys.ts'

const audience = 'api://muster'
const now = new Date('2026-03-02T12:00:00Z')
const seconds = (offset = 0) => Math.floor(now.getTime() / 1000) + offset

/** A real issuer over HTTP: its configuration, and the keys that it has at the time. */
let issuer: Awaited<ReturnType<typeof startIssuer>>
beforeEach(async () => {
  issuer = await startIssuer()
})
afterEach(() => {
  issuer.server.closeAllConnections()
  issuer.server.close()
})

async function startIssuer() {
  const keys: { kid: string; privateKey: CryptoKey; jwk: object }[] = []
  const asked: string[] = []
  const answers: Record<string, (response: ServerResponse) => void> = {
    '/.well-known/openid-configuration': (response) =>
      void response.end(JSON.stringify({ issuer: url(), jwks_uri: `${url()}/keys` })),
    '/keys': (response) => void response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })),
  }
  const server: Server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const answer = answers[request.url ?? '']
    if (answer === undefined) response.writeHead(404).end()
    else answer(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const addKey = async (kid: string, algorithm = 'ES256') => {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
    keys.push({ kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' } })
  }
  await addKey('first')

  return {
    server,
    asked,
    answers,
    /** For answers that are not given at once. */
    held: new EventEmitter(),
    addKey,
    url: url(),
    /** What the issuer gives to a client, changed by `claims`. */
    sign(claims: Record<string, unknown> = {}, kid = 'first') {
      const key = keys.find((each) => each.kid === kid)
      if (key === undefined) throw new Error(`no key ${kid}`)
      const payload = { iss: url(), aud: audience, exp: seconds(3600), azp: 'backend', roles: ['ServiceConnect'] }
      const { alg } = key.jwk as { alg: string }
      return new SignJWT({ ...payload, ...claims }).setProtectedHeader({ alg, kid }).sign(key.privateKey)
    },
  }
}

const verifier = (failures: Error[] = []) =>
  createBearerVerifier({ issuer: issuer.url, audience, skewMs: 300_000, onFailure: (error) => failures.push(error) })
const later = (minutes: number) => new Date(now.getTime() + minutes * 60_000)
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const verdictOn = async (claims: Record<string, unknown>) => verifier()(await issuer.sign(claims), now)

describe('H9 a token of the issuer', () => {
  it('names its client, its permissions and its end', async () => {
    const expiresAtMs = now.getTime() + 3_600_000 + 300_000
    expect(await verdictOn({})).toEqual({ ok: true, client: 'backend', permissions: ['ServiceConnect'], expiresAtMs })
  })

  it.each([
    [{ roles: ['RegistryRead', 'RegistryWrite'] }, ['RegistryRead', 'RegistryWrite']],
    [{ roles: undefined, scp: 'openid ServiceConnect RegistryRead' }, ['RegistryRead', 'ServiceConnect']],
    [{ roles: undefined, scope: 'RegistryRead' }, ['RegistryRead']],
    [{ roles: ['ServiceConnect'], scp: 'RegistryRead' }, ['RegistryRead', 'ServiceConnect']],
    [{ roles: ['serviceconnect', 'Owner'] }, []],
    [{ roles: { 0: 'ServiceConnect' } }, []],
    [{ roles: 'ServiceConnectRegistryRead' }, []],
    [{ roles: undefined }, []],
  ])('with %j has %j', async (claims, permissions) => {
    expect(await verdictOn(claims)).toMatchObject({ ok: true, permissions })
  })

  it.each([
    [{ azp: 'a', sub: 's' }, 'a'],
    [{ azp: undefined, appid: 'b', sub: 's' }, 'b'],
    [{ azp: undefined, client_id: 'c', sub: 's' }, 'c'],
    [{ azp: undefined, sub: 's' }, 's'],
    [{ azp: 7 }, 'unnamed'],
  ])('with %j is of the client %s', async (claims, client) => {
    expect(await verdictOn(claims)).toMatchObject({ ok: true, client })
  })

  it.each(['RS256', 'PS256', 'ES384', 'EdDSA'])('may be signed with %s', async (algorithm) => {
    await issuer.addKey('other', algorithm)

    expect(await verifier()(await issuer.sign({}, 'other'), now)).toMatchObject({ ok: true })
  })

  it('counts for 5 minutes after exp and before nbf, for clocks that differ', async () => {
    for (const claims of [{ exp: seconds(-299) }, { nbf: seconds(300) }, { aud: ['another', audience] }]) {
      expect(await verdictOn(claims)).toMatchObject({ ok: true })
    }
  })
})

describe('H9 a token is refused', () => {
  it.each([
    [{ exp: seconds(-300) }, '"exp" claim timestamp check failed'],
    [{ exp: undefined }, 'missing required "exp" claim'],
    [{ nbf: seconds(301) }, '"nbf" claim timestamp check failed'],
    [{ aud: 'another' }, 'unexpected "aud" claim value'],
    [{ iss: 'https://another.example.com' }, 'unexpected "iss" claim value'],
  ])('with %j', async (claims, reason) => {
    expect(await verdictOn(claims)).toEqual({ ok: false, reason })
  })

  it('that another has signed under the name of a key of the issuer', async () => {
    const { privateKey } = await generateKeyPair('ES256')
    const payload = { iss: issuer.url, aud: audience, exp: seconds(60), roles: ['ServiceConnect'] }
    const forged = await new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: 'first' }).sign(privateKey)

    expect(await verifier()(forged, now)).toEqual({ ok: false, reason: 'signature verification failed' })
  })

  it('that is signed with what everybody can read, or not at all', async () => {
    const secret = new TextEncoder().encode(JSON.stringify({ kty: 'RSA' }).padEnd(32))
    const payload = { iss: issuer.url, aud: audience, exp: seconds(60), roles: ['ServiceConnect'] }
    const shared = await new SignJWT(payload).setProtectedHeader({ alg: 'HS256', kid: 'first' }).sign(secret)

    for (const token of [shared, `${encode({ alg: 'none' })}.${encode(payload)}.`]) {
      expect(await verifier()(token, now)).toMatchObject({ ok: false })
    }
    expect(issuer.asked).toEqual([])
  })

  it.each(['', 'a', 'a.b', 'a.b.c', '..', `${'a'.repeat(10_000)}.b.c`, `${encode({ alg: 'ES256', kid: 'first' })}.b`])(
    'that is none, and the issuer is not asked: %.20s',
    async (text) => {
      expect(await verifier()(text, now)).toMatchObject({ ok: false })
      expect(issuer.asked).toEqual([])
    },
  )

  it.each([{}, { kid: 'first' }, { alg: 'ES256', kid: 7 }, { alg: 'ES257', kid: 'first' }, { alg: ['ES256'] }])(
    'whose header is %j, and the issuer is not asked',
    async (header) => {
      expect(await verifier()(`${encode(header)}.${encode({})}.c2ln`, now)).toMatchObject({ ok: false })
      expect(issuer.asked).toEqual([])
    },
  )
})

describe('H10 the keys', () => {
  it('are read once for many tokens, and again when a token names a new one', async () => {
    const verify = verifier()
    const token = await issuer.sign()
    await Promise.all(Array.from({ length: 20 }, () => verify(token, now)))

    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
  })

  it('cannot be asked for again and again by naming unknown ones', async () => {
    const verify = verifier()
    await verify(await issuer.sign(), now)
    await issuer.addKey('unknown')
    const token = await issuer.sign({}, 'unknown')

    const verdicts = await Promise.all(Array.from({ length: 20 }, () => verify(token, now)))

    expect(new Set(verdicts.map(({ ok }) => ok))).toEqual(new Set([false]))
    expect(issuer.asked.filter((path) => path === '/keys')).toHaveLength(1)
  })

  it('are read again after half a minute, once for all tokens that name a new one', async () => {
    const verify = verifier()
    await verify(await issuer.sign(), now)
    await issuer.addKey('new')
    const token = await issuer.sign({}, 'new')

    const verdicts = await Promise.all(Array.from({ length: 20 }, () => verify(token, later(0.5))))

    expect(new Set(verdicts.map(({ ok }) => ok))).toEqual(new Set([true]))
    expect(issuer.asked.filter((path) => path === '/keys')).toHaveLength(2)
  })

  it('that the issuer has withdrawn are good for ten minutes', async () => {
    const verify = verifier()
    const token = await issuer.sign()
    await verify(token, now)
    issuer.answers['/keys'] = (response) => void response.end('{"keys":[]}')

    expect(await verify(token, new Date(later(10).getTime() - 1))).toMatchObject({ ok: true })
    expect(await verify(token, later(10))).toEqual({ ok: false, reason: expect.stringContaining('no applicable key') })
  })

  it('are good for an hour longer while the issuer is away, and it is asked twice a minute', async () => {
    const failures: Error[] = []
    const verify = verifier(failures)
    const token = await issuer.sign({ exp: seconds(7200) })
    await verify(token, now)
    issuer.server.closeAllConnections()
    issuer.server.close()

    for (const minutes of [10, 10.1, 10.2, 10.5, 69.9]) {
      expect(await verify(token, later(minutes))).toMatchObject({ ok: true })
    }
    expect(failures).toHaveLength(3)
    await expect(verify(token, later(70))).rejects.toThrow(IssuerError)
  })

  it('that are unknown give no verdict while the issuer is away', async () => {
    const verify = verifier()
    await verify(await issuer.sign(), now)
    await issuer.addKey('unknown')
    const token = await issuer.sign({}, 'unknown')
    issuer.answers['/keys'] = (response) => void response.destroy()

    await expect(verify(token, later(1))).rejects.toThrow(IssuerError)
    await expect(verify(token, later(1))).rejects.toThrow(IssuerError)
    expect(issuer.asked.filter((path) => path === '/keys')).toHaveLength(2)
    expect(await verify(await issuer.sign(), later(1))).toMatchObject({ ok: true })
  })

  it('of an issuer that hangs are waited for by one request; the others go on with those from before', async () => {
    const verify = verifier()
    const token = await issuer.sign()
    await verify(token, now)
    const held = once(issuer.held, 'keys')
    issuer.answers['/keys'] = (response) => void issuer.held.emit('keys', response)

    const first = verify(token, later(11))
    const [response] = await held
    const others = await Promise.all(Array.from({ length: 20 }, () => verify(token, later(11))))
    response.destroy()

    expect(new Set([...others, await first].map(({ ok }) => ok))).toEqual(new Set([true]))
    expect(issuer.asked.filter((path) => path === '/keys')).toHaveLength(2)
  })

  it.each([
    ['of another issuer', () => JSON.stringify({ issuer: 'https://another', jwks_uri: 'https://another/keys' })],
    ['without keys', () => JSON.stringify({ issuer: issuer.url })],
    ['that is no JSON', () => '<html>'],
    ['without an end', () => JSON.stringify({ issuer: issuer.url, filler: 'x'.repeat(300_000) })],
  ])('are not taken from a configuration %s; a minute later it is read again', async (_, text) => {
    const good = issuer.answers['/.well-known/openid-configuration']
    issuer.answers['/.well-known/openid-configuration'] = (response) => void response.end(text())
    const verify = verifier()
    const token = await issuer.sign()

    await expect(verify(token, now)).rejects.toThrow(IssuerError)
    await expect(verify(token, now)).rejects.toThrow(IssuerError)
    expect(issuer.asked).toHaveLength(1)
    if (good !== undefined) issuer.answers['/.well-known/openid-configuration'] = good

    expect(await verify(token, later(1))).toMatchObject({ ok: true })
  })

  it.each([
    ['fails', (response: ServerResponse) => void response.writeHead(500).end()],
    ['hangs up', (response: ServerResponse) => void response.destroy()],
    ['leads elsewhere', (response: ServerResponse) => void response.writeHead(302, { location: '/other' }).end()],
    ['is no list', (response: ServerResponse) => void response.end('{"keys":7}')],
    ['does not end', (response: ServerResponse) => void response.end('x'.repeat(300_000))],
  ])('that cannot be read give no verdict: their address %s', async (_, answer) => {
    issuer.answers['/keys'] = answer

    await expect(verifier()(await issuer.sign(), now)).rejects.toThrow(IssuerError)
  })
})
