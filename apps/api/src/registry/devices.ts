import { clip, HubError, limits } from '@muster/contract'
import { listDevices } from '@muster/store'
import { z } from 'zod'
import { addressedDevice } from '../http/address.ts'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { etagHeader, readIfMatch } from '../http/etag.ts'
import { readBody } from '../http/json-body.ts'
import { jsonReply } from '../http/reply.ts'
import { deviceSchema } from '../http/schemas.ts'
import { putIdentity, readExisting, removeIdentity } from './identities.ts'
import { identityBodySchema } from './identity-body.ts'
import { deviceJson } from './identity-json.ts'
import { requireAddressed } from './require-addressed.ts'

const bodySchema = identityBodySchema.omit({ managedBy: true }).extend({ deviceId: z.string().nullish() })

export function deviceRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/devices',
      summary: 'List devices',
      permission: 'RegistryRead',
      throttle: 'registryOperations',
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
      throttle: 'registryOperations',
      headers: { 'if-match': 'Update: the etag of the device, or * for whatever it is. Nothing: create' },
      body: bodySchema,
      reply: deviceSchema,
      async handle(c) {
        const identity = addressedDevice(c)
        const { deviceId, ...body } = readBody(c, bodySchema)
        requireAddressed('deviceId', deviceId, identity)
        const device = await putIdentity(deps, { identity, body, ifMatch: readIfMatch(c) })
        return jsonReply(200, deviceJson(device), etagHeader(device.etag))
      },
    },
    {
      method: 'get',
      path: '/devices/{deviceId}',
      summary: 'Read a device',
      permission: 'RegistryRead',
      throttle: 'registryOperations',
      reply: deviceSchema,
      async handle(c) {
        const device = await readExisting(deps, addressedDevice(c))
        return jsonReply(200, deviceJson(device), etagHeader(device.etag))
      },
    },
    {
      method: 'delete',
      path: '/devices/{deviceId}',
      summary: 'Delete a device, its twin and its modules',
      permission: 'RegistryWrite',
      throttle: 'registryOperations',
      headers: { 'if-match': 'The etag of the device; * or nothing: whatever it is' },
      reply: null,
      async handle(c) {
        await removeIdentity(deps, addressedDevice(c), readIfMatch(c).etag)
        return new Response(null, { status: 204 })
      },
    },
  ]
}

function readTop(c: ApiContext): number {
  const text = c.req.query('top')
  if (!text) return limits.pageSizeMax
  if (/^\d+$/.test(text) && Number(text) > 0) return Math.min(Number(text), limits.pageSizeMax)
  throw new HubError('ArgumentInvalid', {
    message: `top must be a whole number from 1 to ${limits.pageSizeMax}, got "${clip(text)}"`,
  })
}
