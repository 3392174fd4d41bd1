import { X509Certificate } from 'node:crypto'
import { makeAuthority } from '@muster/runtime'
import type { Authentication } from '@muster/store'
import type { IClientOptions } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, nextEnd, refusalOf, responses, type TestIdentity, tokenOf } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

type Thumbprints = Partial<Pick<Authentication, 'primaryThumbprint' | 'secondaryThumbprint'>>

/** A certificate that its owner has signed, made at the given time. It is good for 20 years. */
async function makeCertificate(at = new Date()) {
  const { key, cert } = await makeAuthority(at)
  const { fingerprint, fingerprint256 } = new X509Certificate(cert)
  return { key, cert, sha1: fingerprint.replaceAll(':', ''), sha256: fingerprint256.replaceAll(':', '') }
}

function addDevice(deviceId: string, thumbprints: Thumbprints) {
  const none = { primaryKey: null, secondaryKey: null, primaryThumbprint: null, secondaryThumbprint: null }
  return hub.addDevice(deviceId, { ...none, ...thumbprints, type: 'selfSigned' })
}

/** Shows the certificate on either way in, and sends no password. */
function showing({ key, cert }: { key: string; cert: string }, transport: 'TLS' | 'WebSocket' = 'TLS'): IClientOptions {
  const { ca } = gateway.hub.front.tls
  // Without a password as the SDKs do: the user name alone.
  const shown = { password: undefined } as unknown as IClientOptions
  if (transport === 'TLS') return { ...shown, key, cert }
  const port = gateway.httpsPort
  return { ...shown, protocol: 'wss', port, path: '/$iothub/websocket', wsOptions: { ca, key, cert } }
}

describe('a device with a certificate of its own', () => {
  it.each([
    ['TLS', 'primaryThumbprint', 'sha1'],
    ['TLS', 'secondaryThumbprint', 'sha256'],
    ['WebSocket', 'primaryThumbprint', 'sha256'],
    ['WebSocket', 'secondaryThumbprint', 'sha1'],
  ] as const)('G52 connects over %s by its %s, a %s', async (transport, member, hash) => {
    const certificate = await makeCertificate()
    const identity = await addDevice(`${transport}-${member}`, { [member]: certificate[hash].toLowerCase() })

    const device = await connectDevice(gateway, identity, showing(certificate, transport))
    await device.subscribe([responses])
    await device.publish('$iothub/twin/GET/?$rid=1')

    expect((await device.take('$iothub/twin/res/')).topic).toBe('$iothub/twin/res/200/?$rid=1')
    await device.end()
  })

  it('G52 is refused with another certificate, with none, and with a token', async () => {
    const [own, other] = [await makeCertificate(), await makeCertificate()]
    const identity = await addDevice('refused', { primaryThumbprint: own.sha256, secondaryThumbprint: null })
    const withKeys = { ...identity, authentication: (await hub.addDevice('with-keys')).authentication }

    expect(await refusalOf(gateway, identity, showing(other))).toBe(5)
    expect(await refusalOf(gateway, identity, showing(other, 'WebSocket'))).toBe(5)
    expect(await refusalOf(gateway, identity, { password: '' })).toBe(5)
    expect(await refusalOf(gateway, withKeys)).toBe(5)
  })

  it('G52 shows it in vain when the registry asks for a token, or for the word of an authority', async () => {
    const certificate = await makeCertificate()
    const withKeys: TestIdentity = await hub.addDevice('token-only')
    const none = { primaryKey: null, secondaryKey: null, primaryThumbprint: null, secondaryThumbprint: null }
    const vouched = await hub.addDevice('vouched', { ...none, type: 'certificateAuthority' })

    expect(await refusalOf(gateway, withKeys, showing(certificate))).toBe(5)
    expect(await refusalOf(gateway, vouched, showing(certificate))).toBe(5)
    const device = await connectDevice(gateway, withKeys, { ...showing(certificate), password: tokenOf(withKeys) })
    await device.end()
  })

  it('G8 keeps its connection as long as its certificate is one of the two, and loses it then', async () => {
    const [own, other, next] = [await makeCertificate(), await makeCertificate(), await makeCertificate()]
    const identity = await addDevice('replaced', { primaryThumbprint: own.sha1, secondaryThumbprint: other.sha256 })
    const witness = async () => {
      const name = `witness-${next.sha1}`
      const device = await connectDevice(
        gateway,
        await addDevice(name, { primaryThumbprint: next.sha1 }),
        showing(next),
      )
      await hub.setCredentials(name, { primaryThumbprint: other.sha1 })
      await device.closed
      await hub.remove(name)
    }
    const device = await connectDevice(gateway, identity, showing(own))
    const ended = nextEnd(gateway, 'replaced')

    for (const change of [
      { secondaryThumbprint: next.sha256 },
      { primaryThumbprint: next.sha256, secondaryThumbprint: own.sha1.toLowerCase() },
      { secondaryThumbprint: own.sha256 },
    ]) {
      await hub.setCredentials('replaced', change)
      await witness()
      await device.publish('devices/replaced/messages/events/', 'still here', 1)
    }
    await hub.setCredentials('replaced', { secondaryThumbprint: null })

    expect(await ended).toBe('rekeyed')
    expect(await refusalOf(gateway, identity, showing(own))).toBe(5)
  })

  it('G53 is refused when it has expired, and when its time has not come', async () => {
    const yearMs = 365 * 24 * 3600_000
    const past = await makeCertificate(new Date(Date.now() - 20 * yearMs - 1_000))
    const future = await makeCertificate(new Date(Date.now() + 24 * 3600_000))
    const expired = await addDevice('expired', { primaryThumbprint: past.sha256 })
    const early = await addDevice('early', { primaryThumbprint: future.sha256 })

    expect(await refusalOf(gateway, expired, showing(past))).toBe(5)
    expect(await refusalOf(gateway, early, showing(future))).toBe(5)
  })

  it('G53 is cut when it expires', async () => {
    const yearMs = 365 * 24 * 3600_000
    const certificate = await makeCertificate(new Date(Date.now() - 20 * yearMs + 4_000))
    const identity = await addDevice('expires', { primaryThumbprint: certificate.sha1 })
    const ended = nextEnd(gateway, 'expires')

    const device = await connectDevice(gateway, identity, showing(certificate))
    await device.closed

    expect(await ended).toBe('expired')
  })
})
