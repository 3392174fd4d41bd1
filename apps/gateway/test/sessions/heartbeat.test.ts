import { readLoad } from '@muster/store'
import { eventually } from '@muster/testkit'
import { expect, it, onTestFinished } from 'vitest'
import { connectDevice } from '../device.ts'
import { openHub } from '../hub.ts'

it('L3 a gateway writes the number of its connections with its next sign of life', async () => {
  const hub = await openHub()
  onTestFinished(() => hub[Symbol.asyncDispose]())
  const [one, other] = [await hub.startGateway(), await hub.startGateway()]
  const { db, clock } = one.hub
  const devices = [
    await connectDevice(one, await hub.addDevice('a')),
    await connectDevice(one, await hub.addDevice('b')),
    await connectDevice(other, await hub.addDevice('c')),
  ]

  await eventually(async () => expect((await readLoad(db, clock.now())).connections).toBe(3), {
    timeoutMs: 20_000,
  })

  for (const device of devices) await device.end()
})
