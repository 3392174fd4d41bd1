import { clockGraceMs, type Permission, signSasToken } from '@muster/auth'
import { type IdentityKey, storedDeviceId, storedIdentity } from '@muster/contract'
import { type Authentication, keyFingerprint, thumbprintFingerprint } from '@muster/store'
import { describe, expect, it } from 'vitest'
import { judge } from './authenticate.ts'
import type { ShownCertificate } from './certificate.ts'

const hostNames = ['hub.example', 'localhost']
const now = new Date('2026-05-01T12:00:00Z')
const inAnHour = new Date('2026-05-01T13:00:00Z')
const d1 = storedDeviceId('d1')
const primaryKey = Buffer.alloc(32, 1).toString('base64')
const secondaryKey = Buffer.alloc(32, 2).toString('base64')

const keys = { type: 'sas', primaryKey, secondaryKey, primaryThumbprint: null, secondaryThumbprint: null } as const

function policy(name: string, permissions: readonly Permission[]) {
  return { name, permissions, primaryKey: Buffer.alloc(32, 3).toString('base64'), secondaryKey }
}

interface Given {
  identity?: IdentityKey
  status?: 'enabled' | 'disabled'
  authentication?: Authentication
  certificate?: ShownCertificate | null
}

function attempt(password: string, { status = 'enabled', authentication = keys, ...given }: Given = {}) {
  const policies = [policy('device', ['DeviceConnect']), policy('service', ['ServiceConnect'])]
  const credentials = { status, authentication, generationId: '1' }
  const nowMs = now.getTime()
  return judge({
    identity: d1,
    modelId: null,
    certificate: null,
    ...given,
    password,
    credentials,
    policies,
    hostNames,
    nowMs,
  })
}

describe('the token of a CONNECT', () => {
  it('G3 is good when signed with either key of the device, until the grace after its expiry ends', () => {
    for (const key of [primaryKey, secondaryKey]) {
      const password = signSasToken({ resource: 'localhost/devices/d1', key, expiresAt: inAnHour })

      expect(attempt(password)).toMatchObject({
        kind: 'admitted',
        identity: 'd1',
        expiresAtMs: inAnHour.getTime() + clockGraceMs,
      })
    }
  })

  it('G8 is remembered by the one key that signed it, of the device or of a policy', () => {
    const resource = 'localhost/devices/d1'
    const fingerprintOf = (key: string, policyName?: string) => {
      const named = policyName === undefined ? {} : { policyName }
      const verdict = attempt(signSasToken({ resource, key, expiresAt: inAnHour, ...named }))
      return verdict.kind === 'admitted' ? verdict.fingerprints : []
    }

    expect(fingerprintOf(primaryKey)).toEqual([keyFingerprint(primaryKey, null)])
    expect(fingerprintOf(secondaryKey)).toEqual([keyFingerprint(secondaryKey, null)])
    // The same key, and another credential.
    expect(fingerprintOf(secondaryKey, 'device')).toEqual([keyFingerprint(secondaryKey, 'device')])
    expect(keyFingerprint(secondaryKey, 'device')).not.toBe(keyFingerprint(secondaryKey, null))
  })

  it('G3 is good when signed by a policy that lets devices connect, for all devices or for the whole hub', () => {
    for (const resource of ['localhost/devices/d1', 'localhost/devices', 'HUB.example:8883']) {
      const { primaryKey: key } = policy('device', [])
      const password = signSasToken({ resource, key, expiresAt: inAnHour, policyName: 'device' })

      expect(attempt(password)).toMatchObject({ kind: 'admitted' })
    }
  })

  it('G4 is refused when it is forged, for another device, by a policy without the permission, or no token', () => {
    const device = { key: primaryKey, expiresAt: inAnHour }
    const service = { resource: 'localhost/devices/d1', key: policy('service', []).primaryKey, expiresAt: inAnHour }

    expect(
      [
        signSasToken({ ...device, resource: 'localhost/devices/d1', key: Buffer.alloc(32, 9).toString('base64') }),
        signSasToken({ ...device, resource: 'localhost/devices/d2' }),
        signSasToken({ ...device, resource: 'other.example/devices/d1' }),
        signSasToken({ ...service, policyName: 'service' }),
        signSasToken({ ...service, policyName: 'unknown' }),
        '',
        'password',
      ].map((password) => attempt(password)),
    ).toEqual(Array.from({ length: 7 }, () => ({ kind: 'refused', reason: 'token' })))
  })

  it('G4 G7 is good for 5 minutes after its expiry, for devices whose clocks run behind, and then refused', () => {
    const expiredFor = (seconds: number) => {
      const expiresAt = new Date(now.getTime() - seconds * 1000)
      return attempt(signSasToken({ resource: 'localhost/devices/d1', key: primaryKey, expiresAt }))
    }

    expect(expiredFor(299)).toMatchObject({ kind: 'admitted', expiresAtMs: now.getTime() + 1_000 })
    expect(expiredFor(300)).toEqual({ kind: 'refused', reason: 'expired' })
  })

  it('G4 is refused while the device is disabled', () => {
    const password = signSasToken({ resource: 'localhost/devices/d1', key: primaryKey, expiresAt: inAnHour })

    expect(attempt(password, { status: 'disabled' })).toEqual({ kind: 'refused', reason: 'disabled' })
  })
})

describe('the token of a module', () => {
  const m1 = storedIdentity('d1/m1')
  const module = 'localhost/devices/d1/modules/m1'

  it('G50 is good when signed with a key of the module, for it or for a prefix of its path', () => {
    for (const resource of [module, 'localhost/devices/d1/modules', 'localhost/devices/d1']) {
      const password = signSasToken({ resource, key: primaryKey, expiresAt: inAnHour })

      expect(attempt(password, { identity: m1 })).toMatchObject({ kind: 'admitted', identity: 'd1/m1' })
    }
  })

  it('G50 is good when signed by a policy that lets devices connect', () => {
    const { primaryKey: key } = policy('device', [])
    const password = signSasToken({ resource: module, key, expiresAt: inAnHour, policyName: 'device' })

    expect(attempt(password, { identity: m1 })).toMatchObject({ kind: 'admitted' })
  })

  it('G50 opens neither its device nor another module', () => {
    const password = signSasToken({ resource: module, key: primaryKey, expiresAt: inAnHour })

    for (const identity of [d1, storedIdentity('d1/m'), storedIdentity('d1/m11'), storedIdentity('d2/m1')]) {
      expect(attempt(password, { identity })).toEqual({ kind: 'refused', reason: 'token' })
    }
  })
})

describe('the certificate of a CONNECT', () => {
  const certificate = {
    fingerprint: `AB:${'0'.repeat(38)}`,
    fingerprint256: `CD:${'0'.repeat(62)}`,
    validFrom: 'May  1 11:00:00 2026 GMT',
    validTo: 'May  1 13:00:00 2026 GMT',
  }
  const none = { primaryKey: null, secondaryKey: null, primaryThumbprint: null, secondaryThumbprint: null }
  const selfSigned = { ...none, type: 'selfSigned', primaryThumbprint: `ab${'0'.repeat(38)}` } as const
  const token = signSasToken({ resource: 'localhost/devices/d1', key: primaryKey, expiresAt: inAnHour })
  const refused = (reason: string) => ({ kind: 'refused', reason })

  it('G52 is good when its SHA-1 or SHA-256 is one of the two thumbprints, until it expires, whatever the password', () => {
    const secondary = { ...none, type: 'selfSigned', secondaryThumbprint: `CD${'0'.repeat(62)}` } as const

    for (const authentication of [selfSigned, secondary]) {
      for (const password of ['', token]) {
        expect(attempt(password, { authentication, certificate })).toMatchObject({
          kind: 'admitted',
          identity: 'd1',
          expiresAtMs: inAnHour.getTime(),
        })
      }
    }
  })

  it('G8 is remembered by both of its thumbprints, whichever is registered', () => {
    const thumbprints = [`AB${'0'.repeat(38)}`, `CD${'0'.repeat(62)}`]

    expect(attempt('', { authentication: selfSigned, certificate })).toMatchObject({
      fingerprints: thumbprints.map(thumbprintFingerprint),
    })
  })

  it('G52 is refused when it is another, none, or one that an authority would have to vouch for', () => {
    const authority = { ...none, type: 'certificateAuthority' } as const
    const other = { ...certificate, fingerprint: `EF:${'0'.repeat(38)}` }

    expect(attempt('', { authentication: selfSigned, certificate: other })).toEqual(refused('certificate'))
    expect(attempt('', { authentication: { ...none, type: 'selfSigned' }, certificate })).toEqual(
      refused('certificate'),
    )
    expect(attempt(token, { authentication: selfSigned })).toEqual(refused('certificate'))
    expect(attempt(token, { authentication: authority, certificate })).toEqual(refused('certificate'))
  })

  it('G52 is no help to a device that has keys, and no harm either', () => {
    expect(attempt('', { certificate })).toEqual(refused('token'))
    expect(attempt(token, { certificate })).toMatchObject({ kind: 'admitted' })
  })

  it('G53 is refused before and after its time, and while the device is disabled', () => {
    const past = { ...certificate, validTo: 'May  1 12:00:00 2026 GMT' }
    const future = { ...certificate, validFrom: 'May  1 12:00:01 2026 GMT' }

    for (const shown of [past, future]) {
      expect(attempt('', { authentication: selfSigned, certificate: shown })).toEqual(refused('expired'))
    }
    const disabled = { authentication: selfSigned, certificate, status: 'disabled' } as const
    expect(attempt('', disabled)).toEqual(refused('disabled'))
  })
})
