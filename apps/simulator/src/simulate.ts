import type { JsonObject } from '@muster/contract'
import { assignBehaviours, type Shares } from './behaviour.ts'
import { createFleet, type Fleet } from './fleet.ts'
import type { HubApi } from './hub-client.ts'
import { registerDevices } from './registry.ts'

export interface Simulation {
  readonly hub: HubApi & { readonly mqttsPort: number }
  readonly deviceCount: number
  readonly prefix: string
  readonly tags: JsonObject
  readonly shares: Shares
}

/** Registers a fleet, connects it and shows its status until `signal` aborts. Rejects when the fleet cannot be registered or connected. */
export async function simulate(simulation: Simulation, output: NodeJS.WriteStream, signal: AbortSignal): Promise<void> {
  const { hub, tags } = simulation
  const { devices, reusedCount } = await registerDevices(
    hub,
    deviceIds(simulation).map((deviceId) => ({ deviceId, tags })),
    signal,
  )
  const reused = reusedCount === 0 ? '' : `, of which ${reusedCount} existed and keep their tags`
  output.write(`${devices.length} devices registered at ${hub.hostName}${reused}. Ctrl-C ends.\n`)

  await using fleet = createFleet({ ...hub, devices: assignBehaviours(devices, simulation.shares) })
  using _status = showStatus(fleet, devices.length, output)
  const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  await Promise.race([stopped, fleet.connect().then(() => stopped)])
}

/** Five digits, or more if needed, so that a larger fleet later contains the devices of a smaller one. */
export function deviceIds({ prefix, deviceCount }: Pick<Simulation, 'prefix' | 'deviceCount'>): string[] {
  return Array.from({ length: deviceCount }, (_, index) => `${prefix}${String(index + 1).padStart(5, '0')}`)
}

/** One line a second. On a terminal it is rewritten in place. Elsewhere a new line is printed when something has changed. */
function showStatus(fleet: Fleet, deviceCount: number, output: NodeJS.WriteStream): Disposable {
  let shown = ''
  const timer = setInterval(() => {
    const { connectedCount, methodCallCount, desiredCount } = fleet
    const line = `${connectedCount} of ${deviceCount} connected, ${methodCallCount} method calls, ${desiredCount} desired changes`
    if (output.isTTY) output.write(`\r\x1b[K${line}`)
    else if (line !== shown) output.write(`${line}\n`)
    shown = line
  }, 1000)
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
      if (output.isTTY) output.write('\n')
    },
  }
}
