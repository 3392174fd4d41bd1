import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSasToken, type SasToken, type SasVerdict, signSasToken, verifySasToken } from './sas-token.ts'

const key = Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')
const otherKey = Buffer.from('ffffffffffffffffffffffffffffffff').toString('base64')
const nowMs = Date.UTC(2026, 0, 1)
const hub = { keys: [key], hostNames: ['localhost', 'myhub.example.com'], path: [], nowMs, skewMs: 0 }
const expiresAt = new Date(hub.nowMs + 3_600_000)

describe('tokens as the SDKs send them', () => {
  it.each([
    {
      from: 'the Node service SDK, which does not encode sr',
      text: 'SharedAccessSignature sr=localhost&sig=9tsUXONiVQeOe9f%2Fn3dSacznE97ewT89VtyHszxjBqk%3D&skn=iothubowner&se=1900000000',
      path: [],
      policyName: 'iothubowner',
    },
    {
      from: 'the Node device SDK',
      text: 'SharedAccessSignature sr=localhost%2Fdevices%2Fd&sig=h2%2By33Atbo8XBPhNyUumiWAlowVcHSycvOmaSHCPnHk%3D&se=1900000000',
      path: ['devices', 'd'],
      policyName: null,
    },
    {
      from: 'an SDK that encodes in lower-case hex',
      text: 'SharedAccessSignature sr=localhost%2fdevices%2fd&sig=PWkzLzUPrBkso093bLF7duuJb4pVnB89Yt8JYgfK%2fqs%3d&se=1900000000',
      path: ['devices', 'd'],
      policyName: null,
    },
    {
      from: 'a device that connects to another port and puts milliseconds in se',
      text: 'SharedAccessSignature sr=localhost%3A8884%2Fdevices%2Fd&sig=hNez31f1DXwydp%2FtY2a95e5D4g2LicEPcgR6Q%2BdLkOw%3D&se=1900000000000',
      path: ['devices', 'd'],
      policyName: null,
    },
    {
      from: 'a device whose id holds marks that are encoded strictly',
      text: 'SharedAccessSignature sr=localhost%2Fdevices%2Fd%21%281%29&sig=3EZqZFSO4sUAJs0cBt%2FSMN77dgbfYMlnJL2%2BqwmhiWI%3D&se=1900000000',
      path: ['devices', 'd!(1)'],
      policyName: null,
    },
    {
      from: 'a device SDK that encodes the id, and then the whole',
      text: 'SharedAccessSignature sr=localhost%2Fdevices%2Fd%253A1%2540x&sig=9tMs9V6Zqa5O9EJ5NeaspPrdlFzoCPkKi%2BN8b3jNWPU%3D&se=1900000000',
      path: ['devices', 'd:1@x'],
      policyName: null,
    },
    {
      from: 'a client without the prefix, with skn empty and the members in another order',
      text: 'se=1900000000&skn=&sig=h2%2By33Atbo8XBPhNyUumiWAlowVcHSycvOmaSHCPnHk%3D&sr=localhost%2Fdevices%2Fd',
      path: ['devices', 'd'],
      policyName: null,
    },
  ])('a token from $from verifies', ({ text, path, policyName }) => {
    const token = parsed(text)

    expect(token.policyName).toBe(policyName)
    expect(verifySasToken(token, { ...hub, path })).toEqual({ ok: true, expiresAtMs: Number(token.expiry) * 1000 })
  })
})

describe('parsing', () => {
  it.each([
    '',
    'Bearer abc',
    'SharedAccessSignature sr=localhost&sig=abc',
    'SharedAccessSignature sr=localhost&sig=&se=1',
    'SharedAccessSignature sr=localhost&sig=%zz&se=1',
    'SharedAccessSignature sr=localhost&sig=abc&se=1&skn=%e0%a4%a',
    'SharedAccessSignature sr=localhost&sr=other&sig=abc&se=1',
    'SharedAccessSignature sr=localhost&sig=abc&se=1&',
  ])('"%s" is no token', (text) => {
    expect(parseSasToken(text)).toBeNull()
  })

  it('any text gives a token or null, and a verdict', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (sr, sig, se) => {
        const token = parseSasToken(`sr=${sr}&sig=${sig}&se=${se}`)

        expect(token === null || !verifySasToken(token, hub).ok).toBe(true)
      }),
    )
  })
})

describe('signing and verifying', () => {
  it('what is signed verifies with that key, as primary or as secondary, and with no other', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.string({ unit: 'grapheme' }), (secret, deviceId) => {
        fc.pre(!deviceId.includes('/'))
        const ours = Buffer.from(secret).toString('base64')
        fc.pre(ours !== otherKey)
        const token = parsed(signSasToken({ resource: `localhost/devices/${deviceId}`, key: ours, expiresAt }))
        const device = { ...hub, path: ['devices', deviceId] }

        expect(verifySasToken(token, { ...device, keys: [ours, otherKey] }).ok).toBe(true)
        expect(verifySasToken(token, { ...device, keys: [otherKey, ours] }).ok).toBe(true)
        expect(verifySasToken(token, { ...device, keys: [otherKey] })).toEqual(refused('signature'))
      }),
    )
  })

  it('changing any one character of sr, sig or se makes a token invalid', () => {
    const token = parsed(signSasToken({ resource: 'localhost/devices/d1', key, expiresAt, policyName: 'device' }))
    const member = fc.constantFrom('resource', 'signature', 'expiry')
    const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code))

    fc.assert(
      fc.property(member, fc.nat(), printable, (name, at, character) => {
        const text = token[name]
        const index = at % text.length
        fc.pre(text[index] !== character)
        const changed = { ...token, [name]: text.slice(0, index) + character + text.slice(index + 1) }

        expect(verifySasToken(changed, { ...hub, path: ['devices', 'd1'] }).ok).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })

  it('a signature that is shorter, longer, or no base64 is refused as any other', () => {
    const token = parsed(signSasToken({ resource: 'localhost', key, expiresAt }))
    const { signature } = token

    for (const changed of [
      signature.slice(1),
      signature.slice(0, -1),
      `${signature}=`,
      'x',
      '\u{1f600}',
      'é'.repeat(22),
    ]) {
      expect(verifySasToken({ ...token, signature: changed }, hub)).toEqual(refused('signature'))
    }
  })

  it('an empty key verifies nothing, not even what was signed with it', () => {
    const token = parsed(signSasToken({ resource: 'localhost', key: '', expiresAt }))

    expect(verifySasToken(token, { ...hub, keys: [''] })).toEqual(refused('signature'))
    expect(verifySasToken(token, { ...hub, keys: [] })).toEqual(refused('signature'))
  })

  it('the policy name survives the way through the token', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (policyName) => {
        expect(parsed(signSasToken({ resource: 'localhost', key, expiresAt, policyName })).policyName).toBe(policyName)
      }),
    )
  })
})

describe('the resource', () => {
  it.each([
    ['localhost', ''],
    ['LOCALHOST', ''],
    ['localhost:8443', ''],
    ['MyHub.Example.com/devices/d1', '/devices/d1'],
    ['localhost/devices', '/devices/d1'],
    ['localhost', '/devices/d1'],
    ['localhost/devices/d1', '/devices/d1/modules/m1'],
    ['localhost/', '/devices/d1'],
    ['localhost/devices/d1/', '/devices/d1'],
  ])('%s covers "%s"', (resource, path) => {
    expect(verdictOn(resource, path).ok).toBe(true)
  })

  it.each([
    ['otherhub', ''],
    ['localhost.evil.example', ''],
    ['localhost/devices/d1', ''],
    ['localhost/devices/d1', '/devices/d2'],
    ['localhost/devices/d', '/devices/d1'],
    ['localhost/devices/d1/modules/m1', '/devices/d1'],
    ['localhost/devices//', '/devices/d1'],
    ['localhost:x/devices/d1', '/devices/d1'],
  ])('%s does not cover "%s"', (resource, path) => {
    expect(verdictOn(resource, path).ok).toBe(false)
  })

  it.each([
    ['localhost/devices/a%23b', '/devices/a%23b'],
    ['localhost/devices/a#b', '/devices/a#b'],
    ['localhost/devices/a%b', '/devices/a%b'],
    ['localhost/devices/a?b', '/devices/a?b/modules/m'],
  ])('%s covers "%s", whoever signs it', (resource, path) => {
    expect(verdictOn(resource, path).ok).toBe(true)
    expect(verdictOn(resource, path, 'device').ok).toBe(true)
  })

  it('H18 an id that was encoded before is the same with the own key of a device, and another with that of a policy', () => {
    expect(verdictOn('localhost/devices/a%23b', '/devices/a#b').ok).toBe(true)
    expect(verdictOn('localhost/devices/a%23b', '/devices/a#b', 'device')).toEqual(refused('resource'))
  })

  it('H18 letter case makes no difference with the own key of a device, and another id with that of a policy', () => {
    for (const [resource, path] of [
      ['localhost/devices/pump-a1', '/devices/Pump-A1'],
      ['localhost/DEVICES/PUMP-A1', '/devices/Pump-A1'],
      ['localhost/devices/a%3ab', '/devices/A:B'],
    ] as const) {
      expect(verdictOn(resource, path).ok).toBe(true)
      expect(verdictOn(resource, path, 'device')).toEqual(refused('resource'))
    }
  })

  it.each([undefined, 'device'])('H18 a slash that is encoded twice parts no segments (policy %s)', (policyName) => {
    for (const resource of ['localhost/devices%2Fd1', 'localhost/devices/d1%2Fmodules', 'localhost%2Fdevices/d1']) {
      expect(verdictOn(resource, '/devices/d1/modules/m', policyName)).toEqual(refused('resource'))
    }
  })

  it('covers a path exactly when its segments are the first ones of the path', () => {
    const segments = fc.array(fc.constantFrom('a', 'ab', 'b'), { maxLength: 4 })

    fc.assert(
      fc.property(segments, segments, (prefix, path) => {
        const covers = prefix.every((segment, index) => path[index] === segment)

        expect(verdictOn(['localhost', ...prefix].join('/'), path.map((segment) => `/${segment}`).join('')).ok).toBe(
          covers,
        )
      }),
    )
  })
})

describe('the expiry', () => {
  it.each([
    ['without a skew', 0],
    ['with a skew', 300_000],
  ])('%s, a token is accepted until the last millisecond before se and the skew', (_, skewMs) => {
    const token = parsed(signSasToken({ resource: 'localhost', key, expiresAt }))
    const endMs = expiresAt.getTime() + skewMs

    const before = verifySasToken(token, { ...hub, nowMs: endMs - 1, skewMs })
    const at = verifySasToken(token, { ...hub, nowMs: endMs, skewMs })

    expect(before).toEqual({ ok: true, expiresAtMs: endMs })
    expect(at).toEqual(refused('expired'))
  })

  it('a forger does not learn that a token has expired', () => {
    const token = parsed(signSasToken({ resource: 'localhost', key: otherKey, expiresAt: new Date(0) }))

    expect(verifySasToken(token, hub)).toEqual(refused('signature'))
  })

  it.each(['soon', '-1', '1e9', '1900000000.5', ' 1900000000'])('se=%s is malformed', (expiry) => {
    const token: SasToken = { resource: 'localhost', signature: 'x', expiry, policyName: null }

    expect(verifySasToken(token, hub)).toEqual(refused('malformed'))
  })
})

function parsed(text: string): SasToken {
  const token = parseSasToken(text)
  if (token === null) throw new Error(`not a token: ${text}`)
  return token
}

/** The path is in clear, and no id in it holds a slash. */
function verdictOn(resource: string, path: string, policyName?: string): SasVerdict {
  const token = signSasToken({ resource, key, expiresAt, ...(policyName === undefined ? {} : { policyName }) })
  return verifySasToken(parsed(token), { ...hub, path: path.split('/').slice(1) })
}

function refused(reason: 'expired' | 'signature' | 'resource' | 'malformed'): SasVerdict {
  return { ok: false, reason }
}
