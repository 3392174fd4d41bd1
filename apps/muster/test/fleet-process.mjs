// A simulated fleet in a process of its own, so that neither it nor the hub waits for the other. A test forks it and sends
// `create` with the options of the fleet, then `connect` and `disconnect`; each is answered when it is done.
import { createFleet } from '@muster/simulator'

let fleet
let failures = new Map()

const commands = {
  create({ options }) {
    const onFailure = (deviceId) => failures.set(deviceId, (failures.get(deviceId) ?? 0) + 1)
    fleet = createFleet({ ...options, onFailure })
  },
  async connect() {
    failures = new Map()
    const startedAtMs = performance.now()
    await fleet.connect()
    return { seconds: (performance.now() - startedAtMs) / 1000, failures: [...failures.values()] }
  },
  disconnect: () => fleet.disconnect(),
}

process.on('message', async ({ command, ...message }) => {
  try {
    process.send({ done: (await commands[command](message)) ?? {} })
  } catch (error) {
    process.send({ failed: String(error) })
  }
})
process.on('disconnect', () => process.exit())
