import { clip, type DeviceId, HubError, limits, parseDeviceId } from '@muster/contract'
import { insertDevices, listDevices } from '@muster/store'
import { z } from 'zod'
import { draftDevice, type Identity, identitySchema } from '../device-body.ts'
import { deviceJson } from '../device-json.ts'
import type { ApiContext, Deps, Endpoint } from '../endpoint.ts'
import { etagHeader, readIfMatch } from '../etag.ts'
import { readBody } from '../json-body.ts'
import { deviceExists, readExisting, removeDevice, updateIdentity } from '../registry.ts'
import { jsonReply } from '../reply.ts'
import { deviceSchema } from '../schemas.ts'

const bodySchema = identitySchema.extend({ deviceId: z.string().nullish() })

export function deviceRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/devices',
      summary: 'List devices',
      permission: 'RegistryRead',
      query: { top: `How many, at most ${limits.pageSizeMax}, the default` },
      reply: deviceSchema.array(),
      async handle(c) {
        const devices = await listDevices(deps.db, readTop(c))
        return jsonReply(200, devices.map(deviceJson))
      },
    },
    {
      method: 'put',
      path: '/devices/{deviceId}',
      summary: 'Create a device; with If-Match update it',
      permission: 'RegistryWrite',
      headers: { 'if-match': 'Update: the etag of the device, or * for whatever it is. Nothing: create' },
      body: bodySchema,
      reply: deviceSchema,
      async handle(c) {
        const deviceId = readDeviceId(c)
        const identity = readIdentity(await readBody(c, bodySchema), deviceId)
        const { isGiven, etag } = readIfMatch(c)
        const device = isGiven
          ? await updateIdentity(deps, { deviceId, identity, etag })
          : await createDevice(deps, deviceId, identity)
        return jsonReply(200, deviceJson(device), etagHeader(device.etag))
      },
    },
    {
      method: 'get',
      path: '/devices/{deviceId}',
      summary: 'Read a device',
      permission: 'RegistryRead',
      reply: deviceSchema,
      async handle(c) {
        const device = await readExisting(deps, readDeviceId(c))
        return jsonReply(200, deviceJson(device), etagHeader(device.etag))
      },
    },
    {
      method: 'delete',
      path: '/devices/{deviceId}',
      summary: 'Delete a device and its twin',
      permission: 'RegistryWrite',
      headers: { 'if-match': 'The etag of the device; * or nothing: whatever it is' },
      reply: null,
      async handle(c) {
        await removeDevice(deps, readDeviceId(c), readIfMatch(c).etag)
        return new Response(null, { status: 204 })
      },
    },
  ]
}

function readDeviceId(c: ApiContext): DeviceId {
  return parseDeviceId(c.req.param('deviceId') ?? '')
}

function readIdentity({ deviceId: inBody, ...identity }: z.output<typeof bodySchema>, deviceId: DeviceId): Identity {
  if (inBody == null || inBody === deviceId) return identity
  throw new HubError('ArgumentInvalid', {
    message: `deviceId in the body is "${clip(inBody)}"; expected "${deviceId}", as in the path, or no deviceId`,
  })
}

async function createDevice(deps: Deps, deviceId: DeviceId, identity: Identity) {
  const created = await insertDevices(deps.db, [draftDevice(deviceId, identity, null)], deps.clock.now())
  if (created.length > 0) return readExisting(deps, deviceId)
  throw deviceExists(deviceId)
}

function readTop(c: ApiContext): number {
  const text = c.req.query('top')
  if (!text) return limits.pageSizeMax
  if (/^\d+$/.test(text) && Number(text) > 0) return Math.min(Number(text), limits.pageSizeMax)
  throw new HubError('ArgumentInvalid', {
    message: `top must be a whole number from 1 to ${limits.pageSizeMax}, got "${clip(text)}"`,
  })
}
