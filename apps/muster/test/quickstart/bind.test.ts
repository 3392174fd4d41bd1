import { once } from 'node:events'
import { get } from 'node:https'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { givenFleet } from '../simulated.ts'
import { startQuickstart } from './quickstart.ts'

// All of 127.0.0.0/8 is this machine: a second address of it, as its address in the network would be.
const otherAddress = '127.0.0.2'

it.runIf(process.platform === 'linux')(
  'a quickstart serves HTTPS and MQTT to this machine only, by the name localhost, and says so',
  async () => {
    await using hub = await startQuickstart()
    await using fleet = await givenFleet(hub, { count: 1, prefix: 'near', tags: {} })

    const [response] = await once(get({ host: 'localhost', port: hub.httpsPort, ca: hub.ca }), 'response')
    await fleet.connect()

    expect(response.statusCode).toBe(200)
    expect(fleet.connectedCount).toBe(1)
    expect(await isServed(hub.httpsPort)).toBe(false)
    expect(await isServed(hub.mqttsPort)).toBe(false)
    expect(hub.output()).toContain('HTTPS and MQTT are for this machine only (127.0.0.1); MUSTER_BIND=::')
  },
)

it.runIf(process.platform === 'linux')('MUSTER_BIND opens HTTPS and MQTT of a quickstart to the network', async () => {
  await using hub = await startQuickstart({ MUSTER_BIND: '0.0.0.0' })

  expect(await isServed(hub.httpsPort)).toBe(true)
  expect(await isServed(hub.mqttsPort)).toBe(true)
  expect(hub.output()).toContain('HTTPS and MQTT are open to the network (MUSTER_BIND=0.0.0.0)')
})

async function isServed(port: number): Promise<boolean> {
  const socket = connect(port, otherAddress)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
    return false
  } finally {
    socket.destroy()
  }
}
