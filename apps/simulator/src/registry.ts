import { generateKey } from '@muster/auth'
import { type JsonObject, limits } from '@muster/contract'
import { z } from 'zod'
import type { SimulatedDeviceKey } from './fleet.ts'
import { complaintOf, createHubClient, type HubApi, type HubClient } from './hub-client.ts'

export interface Registration {
  readonly devices: readonly SimulatedDeviceKey[]
  /** How many of them existed before. They keep their keys and tags. */
  readonly reusedCount: number
}

/** Registers devices with new keys, a hundred in one call. For a device that exists, it reads the keys. */
export async function registerDevices(
  hub: HubApi,
  devices: readonly { readonly deviceId: string; readonly tags: JsonObject }[],
  signal: AbortSignal,
): Promise<Registration> {
  using client = createHubClient(hub, signal)
  const chunks = Array.from({ length: Math.ceil(devices.length / limits.bulkDevices) }, (_, index) =>
    devices.slice(index * limits.bulkDevices, (index + 1) * limits.bulkDevices),
  )
  const registrations = await Promise.all(chunks.map((chunk) => registerChunk(client, chunk)))
  return {
    devices: registrations.flatMap((registration) => registration.devices),
    reusedCount: registrations.reduce((sum, registration) => sum + registration.reusedCount, 0),
  }
}

async function registerChunk(
  client: HubClient,
  chunk: readonly { readonly deviceId: string; readonly tags: JsonObject }[],
): Promise<Registration> {
  const created = chunk.map(({ deviceId, tags }) => ({ deviceId, tags, key: generateKey() }))
  const reply = await client.send('POST', '/devices', created.map(bulkItem))
  const result = bulkResultSchema.safeParse(reply.body)
  if (reply.status !== 200 && !(reply.status === 400 && result.success))
    throw refusal('POST /devices', complaintOf(reply))

  const errors = result.data?.errors ?? []
  const serious = errors.find((error) => error.errorCode !== 'DeviceAlreadyExists')
  if (serious !== undefined) throw refusal('POST /devices', `${serious.deviceId}: ${serious.errorCode}`)
  const existing = new Set(errors.map((error) => error.deviceId))
  const devices = created.map(async ({ deviceId, key }) =>
    existing.has(deviceId) ? { deviceId, key: await readKey(client, deviceId) } : { deviceId, key },
  )
  return { devices: await Promise.all(devices), reusedCount: existing.size }
}

function bulkItem({ deviceId, tags, key }: { deviceId: string; tags: JsonObject; key: string }) {
  return {
    id: deviceId,
    importMode: 'create',
    status: 'enabled',
    authentication: { type: 'sas', symmetricKey: { primaryKey: key, secondaryKey: generateKey() } },
    tags,
  }
}

const bulkResultSchema = z.object({ errors: z.array(z.object({ deviceId: z.string(), errorCode: z.string() })) })

const deviceSchema = z.object({
  authentication: z.object({ symmetricKey: z.object({ primaryKey: z.string().min(1) }) }),
})

async function readKey(client: HubClient, deviceId: string): Promise<string> {
  const path = `/devices/${encodeURIComponent(deviceId)}`
  const reply = await client.send('GET', path)
  if (reply.status !== 200) throw refusal(`GET ${path}`, complaintOf(reply))
  const device = deviceSchema.safeParse(reply.body)
  if (!device.success) throw refusal(`GET ${path}`, 'the device exists and has no symmetric key')
  return device.data.authentication.symmetricKey.primaryKey
}

function refusal(call: string, complaint: string): Error {
  return new Error(`${call}: ${complaint}`)
}
