import { createFleet, createHubClient, registerDevices } from '@muster/simulator'
import type { Lifetime } from '../lifetime.ts'
import type { LocalHub } from '../local-hub.ts'
import { type DemoDevice, demoFleet, queryCondition, targetOf } from './demo-fleet.ts'
import { runMethodJob, runTwinJob } from './demo-jobs.ts'

/**
 * Connects the demo fleet, which stays connected until the end of the process, and runs a twin job and a method job on a part of it.
 * Returns the differences from the expected results.
 */
export async function runDemo(lifetime: Lifetime, hub: LocalHub, output: NodeJS.WriteStream): Promise<string[]> {
  const fleet = demoFleet()
  const target = targetOf(fleet)
  const api = { ...hub, policyName: hub.owner.name, key: hub.owner.primaryKey }
  const client = createHubClient(api, lifetime.signal)
  lifetime.defer(async () => client[Symbol.dispose]())

  const startedAtMs = performance.now()
  const { devices } = await registerDevices(api, fleet, lifetime.signal)
  const connectedCount = await connectFleet(lifetime, hub, withKeys(fleet, devices))
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
  output.write(`${fleet.length} simulated devices, ${connectedCount} of them connected over MQTT after ${seconds} s.\n`)

  output.write(
    `A twin job and a method job for the devices that match, ${target.length} of them the demo's:  ${queryCondition}\n\n`,
  )
  const run = new Date().toISOString().replaceAll(/[^0-9]/g, '')
  const stage = { client, target, output, signal: lifetime.signal, run }
  return [...(await runTwinJob(stage)), ...(await runMethodJob(stage))]
}

type KeyedDevice = DemoDevice & { readonly key: string }

function withKeys(
  fleet: readonly DemoDevice[],
  registered: readonly { readonly deviceId: string; readonly key: string }[],
): KeyedDevice[] {
  const keys = new Map(registered.map(({ deviceId, key }) => [deviceId, key]))
  return fleet.flatMap((device) => {
    const key = keys.get(device.deviceId)
    return key === undefined ? [] : [{ ...device, key }]
  })
}

async function connectFleet(lifetime: Lifetime, hub: LocalHub, devices: readonly KeyedDevice[]): Promise<number> {
  const fleet = createFleet({ ...hub, devices })
  lifetime.defer(() => fleet[Symbol.asyncDispose]())
  await fleet.connect()
  return fleet.connectedCount
}
