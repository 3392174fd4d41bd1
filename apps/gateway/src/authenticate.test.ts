import { type Permission, signSasToken } from '@muster/auth'
import { storedDeviceId } from '@muster/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { identify, judge } from './authenticate.ts'

const hostNames = ['hub.example', 'localhost']
const now = new Date('2026-05-01T12:00:00Z')
const inAnHour = new Date('2026-05-01T13:00:00Z')
const d1 = storedDeviceId('d1')
const primaryKey = Buffer.alloc(32, 1).toString('base64')
const secondaryKey = Buffer.alloc(32, 2).toString('base64')

function credentials(given: { status?: 'enabled' | 'disabled' } = {}) {
  const authentication = {
    type: 'sas' as const,
    primaryKey,
    secondaryKey,
    primaryThumbprint: null,
    secondaryThumbprint: null,
  }
  return { status: given.status ?? ('enabled' as const), authentication, generationId: '1' }
}

function policy(name: string, permissions: readonly Permission[]) {
  return { name, permissions, primaryKey: Buffer.alloc(32, 3).toString('base64'), secondaryKey }
}

function attempt(password: string, given: { status?: 'enabled' | 'disabled' } = {}) {
  const policies = [policy('device', ['DeviceConnect']), policy('service', ['ServiceConnect'])]
  return judge({ password, deviceId: d1, credentials: credentials(given), policies, hostNames, nowMs: now.getTime() })
}

describe('the identity of a CONNECT', () => {
  it('G1 is read from every form of user name that devices send', () => {
    for (const userName of [
      'hub.example/d1/?api-version=2021-04-12&DeviceClientType=azure-iot-device%2F1.18.4',
      'hub.example/d1/?api-version=2021-04-12&model-id=dtmi:a/b',
      'HUB.example/d1/',
      'localhost:8884/d1',
      'hub.example/d1/api-version=2016-11-14',
    ]) {
      expect(identify({ clientId: 'd1', userName }, hostNames)).toEqual({ deviceId: 'd1' })
    }
  })

  it('G1 may hold every character that a registered id may hold, but those that no topic can', () => {
    const id = "A-b:c.d%20_*?!(),=@;$'"

    expect(identify({ clientId: id, userName: `localhost/${id}/?api-version=1` }, hostNames)).toEqual({ deviceId: id })
    expect(identify({ clientId: 'a+b', userName: 'localhost/a+b/?' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: 'a#b', userName: 'localhost/a#b/?' }, hostNames)).toBe('clientId')
  })

  it('G2 is refused when the user name is none of a device of this hub', () => {
    expect(identify({ clientId: 'd1', userName: '' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: 'd1' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: '/d1/' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: 'other.example/d1/' }, hostNames)).toBe('hostName')
  })

  it('G2 is refused when the client id is another', () => {
    const long = 'x'.repeat(129)

    expect(identify({ clientId: 'd2', userName: 'localhost/d1/' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: 'D1', userName: 'localhost/d1/' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: long, userName: `localhost/${long}/` }, hostNames)).toBe('clientId')
  })

  it('G2 is refused when it is a module', () => {
    const userName = 'localhost/d1/m1/?api-version=2021-04-12'

    expect(identify({ clientId: 'd1/m1', userName }, hostNames)).toBe('module')
    expect(identify({ clientId: 'd1', userName }, hostNames)).toBe('clientId')
  })

  it('G2 no text makes the reader throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (clientId, userName) => {
        identify({ clientId, userName }, hostNames)
        identify({ clientId, userName: `localhost/${userName}` }, hostNames)
      }),
    )
  })
})

describe('the token of a CONNECT', () => {
  it('G3 is good when signed with either key of the device, until it expires', () => {
    for (const key of [primaryKey, secondaryKey]) {
      const password = signSasToken({ resource: 'localhost/devices/d1', key, expiresAt: inAnHour })

      expect(attempt(password)).toEqual({ kind: 'admitted', deviceId: 'd1', expiresAtMs: inAnHour.getTime() })
    }
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

  it('G4 is refused at the second at which it expires', () => {
    const password = signSasToken({ resource: 'localhost/devices/d1', key: primaryKey, expiresAt: now })

    expect(attempt(password)).toEqual({ kind: 'refused', reason: 'expired' })
  })

  it('G4 is refused while the device is disabled', () => {
    const password = signSasToken({ resource: 'localhost/devices/d1', key: primaryKey, expiresAt: inAnHour })

    expect(attempt(password, { status: 'disabled' })).toEqual({ kind: 'refused', reason: 'disabled' })
  })
})
