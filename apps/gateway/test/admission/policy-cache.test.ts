import { generateKey, signSasToken } from '@muster/auth'
import { cachePolicies, putPolicy } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectDevice, refusalOf, type TestIdentity } from '../device.ts'
import { devicePolicyKey, openHub, type TestGateway, type TestHub } from '../hub.ts'

const keptMs = 5_000

let hub: TestHub
let gateway: TestGateway
let device: TestIdentity
beforeAll(async () => {
  // The five seconds for which a policy is kept are stepped by hand.
  vi.useFakeTimers({ toFake: ['Date'] })
  hub = await openHub({ clock: { now: () => new Date(), isTrusted: () => true } })
  gateway = await hub.startGateway()
  device = await hub.addDevice('d1')
})
afterAll(async () => {
  vi.useRealTimers()
  await hub[Symbol.asyncDispose]()
})

const pass = (ms: number) => vi.setSystemTime(Date.now() + ms)

function signedWith(key: string) {
  const expiresAt = new Date(Date.now() + 3_600_000)
  return { password: signSasToken({ resource: 'localhost/devices', key, expiresAt, policyName: 'device' }) }
}

async function connects(key: string): Promise<void> {
  await (await connectDevice(gateway, device, signedWith(key))).end()
}

async function givenKey(key: string): Promise<void> {
  const permissions = ['DeviceConnect']
  const policy = { name: 'device', permissions, primaryKey: key, secondaryKey: key }
  await putPolicy(gateway.hub.db, policy, policy)
}

describe('G3 a policy whose key was rolled', () => {
  it('opens connections with its new key, and none with the old one, after five seconds', async () => {
    await connects(devicePolicyKey)
    const newKey = generateKey()
    await givenKey(newKey)

    pass(keptMs)

    expect(await refusalOf(gateway, device, signedWith(devicePolicyKey))).toBe(5)
    await connects(newKey)
    await givenKey(devicePolicyKey)
    pass(keptMs)
  })
})

describe('the policies of a gateway', () => {
  it('G2 that cannot be read refuse a device with 3, and are read again for the next one', async () => {
    const { db } = gateway.hub
    await connects(devicePolicyKey)
    pass(keptMs)
    await db.execute('alter table policies rename to policies_away')

    const refused = await refusalOf(gateway, device, signedWith(devicePolicyKey))
    await db.execute('alter table policies_away rename to policies')

    expect(refused).toBe(3)
    await connects(devicePolicyKey)
  })

  it('are read once for all who connect within five seconds', async () => {
    const { db, clock } = gateway.hub
    const policies = cachePolicies({ db, clock })
    const first = policies()
    const ofFleet = Array.from({ length: 100 }, policies)
    pass(keptMs - 1)
    ofFleet.push(policies())

    // A read is a promise of its own.
    expect(ofFleet.filter((reading) => reading !== first)).toEqual([])
    pass(1)
    expect(policies()).not.toBe(first)
    expect((await first).map(({ name }) => name)).toContain('device')
  })
})
