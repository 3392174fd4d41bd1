import { generateKey } from '@muster/auth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, methods, nextEnd, refusalOf } from './device.ts'
import { openHub, type TestGateway, type TestHub } from './hub.ts'

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
      if (reason === 'rekeyed') await hub.setKeys(reason, { primaryKey: generateKey(), secondaryKey: generateKey() })
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
})
