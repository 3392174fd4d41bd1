import { generateKey, signSasToken } from '@muster/auth'
import { type Authentication, deleteIdentities } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, methods, nextEnd, refusalOf, type TestIdentity, tokenOf } from '../device.ts'
import { devicePolicyKey, openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

describe('a change of the registry', () => {
  it.each(['disabled', 'deleted', 'rekeyed'] as const)(
    'G8 cuts the connection of a device that is %s, on whichever gateway, and refuses it from then on',
    async (reason) => {
      const other = await hub.startGateway()
      const identity = await hub.addDevice(reason)
      const device = await connectDevice(other, identity)
      await device.subscribe([methods])
      const bystander = await connectDevice(other, await hub.addDevice(`beside-${reason}`))
      const ended = nextEnd(other, reason)

      if (reason === 'disabled') await hub.setStatus(reason, 'disabled')
      if (reason === 'deleted') await hub.remove(reason)
      if (reason === 'rekeyed')
        await hub.setCredentials(reason, { primaryKey: generateKey(), secondaryKey: generateKey() })
      await device.closed

      expect(await ended).toBe(reason)
      expect(await refusalOf(gateway, identity)).toBe(5)
      await bystander.publish(`devices/beside-${reason}/messages/events/`, 'still here', 1)
      await bystander.end()
    },
  )

  it('G15 that makes a device anew leaves it nothing of its old session', async () => {
    const before = await connectDevice(gateway, await hub.addDevice('anew'))
    await before.subscribe([methods])
    await hub.remove('anew')
    await before.closed

    const after = await connectDevice(gateway, await hub.addDevice('anew'))

    expect(after.sessionPresent).toBe(false)
    await after.end()
  })

  it('G6 that makes a device anew lets it in at once, though the word of its deletion was lost', async () => {
    const former = await hub.addDevice('replaced')
    for (const _ of [1, 2, 3]) await (await connectDevice(gateway, former)).end()
    const before = await connectDevice(gateway, former)
    await deleteIdentities(gateway.hub.db, ['replaced'])
    const ended = nextEnd(gateway, 'replaced')

    const after = await connectDevice(gateway, await hub.addDevice('replaced'))
    await before.closed

    expect(await ended).toBe('takeover')
    expect((await hub.read('replaced')).connectionState).toBe('Connected')
    await after.publish('devices/replaced/messages/events/', 'still here', 1)
    await after.end()
  })
})

describe('a change of credentials', () => {
  type By = 'primaryKey' | 'secondaryKey' | 'policy'
  type Change = (current: Authentication) => Partial<Authentication>

  const replaced = (key: 'primaryKey' | 'secondaryKey'): Change => {
    return () => ({ [key]: generateKey() })
  }
  const swapped: Change = ({ primaryKey, secondaryKey }) => ({ primaryKey: secondaryKey, secondaryKey: primaryKey })
  const certified: Change = () => {
    return { type: 'selfSigned', primaryKey: null, secondaryKey: null, primaryThumbprint: 'A'.repeat(64) }
  }

  let count = 0
  /** A device and a module of another one, connected to a gateway of which the test has no other word. */
  async function connectBoth(by: By) {
    count += 1
    const [id, parent] = [`credentials-${count}`, `parent-${count}`]
    await hub.addDevice(parent)
    const identities = [await hub.addDevice(id), await hub.addModule(parent, 'm')]
    return Promise.all(
      identities.map(async (identity) => {
        const connection = await connectDevice(gateway, identity, { password: passwordOf(identity, by) })
        return { identity, connection, ended: nextEnd(gateway, identity.identity) }
      }),
    )
  }

  function passwordOf({ identity, authentication }: TestIdentity, by: By): string {
    if (by !== 'policy') {
      return tokenOf({ identity, authentication: { ...authentication, primaryKey: authentication[by] } })
    }
    const expiresAt = new Date(Date.now() + 60_000)
    return signSasToken({ resource: 'localhost', key: devicePolicyKey, expiresAt, policyName: 'device' })
  }

  /** The gateway hears of changes in their order: when this one has shown, those before it have. */
  async function haveShown(): Promise<void> {
    const name = `witness-${count}`
    const witness = await connectDevice(gateway, await hub.addDevice(name))
    await hub.setCredentials(name, { primaryKey: generateKey() })
    await witness.closed
  }

  it.each<[By, string, Change]>([
    ['primaryKey', 'the secondary key is replaced', replaced('secondaryKey')],
    ['secondaryKey', 'the primary key is replaced', replaced('primaryKey')],
    ['primaryKey', 'the keys change places', swapped],
    ['policy', 'both keys are replaced', () => ({ primaryKey: generateKey(), secondaryKey: generateKey() })],
  ])('G8 leaves the connection by the %s of a device or module alone when %s', async (by, _, change) => {
    const both = await connectBoth(by)

    for (const { identity } of both) await hub.setCredentials(identity.identity, change(identity.authentication))
    await haveShown()

    for (const { identity, connection } of both) {
      const path = identity.identity.replace('/', '/modules/')
      await connection.publish(`devices/${path}/messages/events/`, 'still here', 1)
      await connection.end()
    }
    expect(await Promise.all(both.map(({ ended }) => ended))).toEqual(['disconnect', 'disconnect'])
  })

  it.each<[By, string, Change]>([
    ['primaryKey', 'that key is replaced', replaced('primaryKey')],
    ['secondaryKey', 'that key is replaced', replaced('secondaryKey')],
    ['primaryKey', 'a certificate is to be shown', certified],
    ['policy', 'a certificate is to be shown', certified],
  ])('G8 cuts the connection by the %s of a device or module when %s', async (by, _, change) => {
    const both = await connectBoth(by)

    for (const { identity } of both) await hub.setCredentials(identity.identity, change(identity.authentication))

    for (const { identity, ended } of both) {
      expect(await ended).toBe('rekeyed')
      expect(await refusalOf(gateway, identity, { password: passwordOf(identity, by) })).toBe(5)
    }
  })

  it('G8 that goes through both keys of a device, one after the other, never cuts it', async () => {
    const before = await hub.addDevice('rolled')
    const first = await connectDevice(gateway, before)
    const secondaryKey = generateKey()

    await hub.setCredentials('rolled', { secondaryKey })
    await haveShown()
    await first.publish('devices/rolled/messages/events/', 'still here', 1)
    await first.end()
    const after = { ...before, authentication: { ...before.authentication, primaryKey: secondaryKey } }
    const second = await connectDevice(gateway, after)
    await hub.setCredentials('rolled', { primaryKey: generateKey() })
    await haveShown()
    await second.publish('devices/rolled/messages/events/', 'still here', 1)

    expect((await hub.read('rolled')).connectionState).toBe('Connected')
    await second.end()
  })
})
