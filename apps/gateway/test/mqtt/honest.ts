import { connectDevice, responses } from '../device.ts'
import type { TestGateway, TestHub } from '../hub.ts'

/** A device that reads its twin again and again, while others misbehave. */
export interface HonestDevice {
  /** How many reads have been answered. */
  readonly answered: number
  /** Throws when a read was not answered, or the connection did not last. */
  stop(): Promise<void>
}

export async function startHonestDevice(hub: TestHub, gateway: TestGateway, deviceId: string): Promise<HonestDevice> {
  const device = await connectDevice(gateway, await hub.addDevice(deviceId))
  await device.subscribe([responses])
  let answered = 0
  let isStopping = false
  const working = (async () => {
    while (!isStopping) {
      const rid = answered + 1
      await device.publish(`$iothub/twin/GET/?$rid=${rid}`, ' ')
      const { topic, payload } = await device.take('$iothub/twin/res/')
      if (topic !== `$iothub/twin/res/200/?$rid=${rid}`) throw new Error(`${deviceId} was answered ${topic} ${payload}`)
      answered = rid
    }
  })()
  // Whoever stops it hears of the failure.
  working.catch(() => {})
  return {
    get answered() {
      return answered
    },
    async stop() {
      isStopping = true
      await working.catch((cause: unknown) => {
        throw new Error(`${deviceId} was not served, connected: ${device.client.connected}`, { cause })
      })
      await device.end()
    },
  }
}
