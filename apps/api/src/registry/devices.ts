import { clip, HubError, identityBodySchema, limits } from '@muster/contract'
import { listDevices } from '@muster/store'
import { z } from 'zod'
import { addressedDevice, queryParameter } from '../http/address.ts'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { readBody } from '../http/json-body.ts'
import { jsonReply } from '../http/reply.ts'
import { deviceSchema } from '../http/schemas.ts'
import { readOnlyShape } from './identity-body.ts'
import { deviceJson } from './identity-json.ts'
import { identityRoutes } from './identity-routes.ts'
import { requireAddressed } from './require-addressed.ts'

const bodySchema = identityBodySchema
  .omit({ managedBy: true })
  .extend({ deviceId: z.string().nullish(), ...readOnlyShape })

export function deviceRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/devices',
      operationId: 'listDevices',
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
    ...identityRoutes(deps, {
      noun: 'device',
      path: '/devices/{deviceId}',
      summaries: {
        put: 'Create a device; with If-Match update it',
        delete: 'Delete a device, its twin and its modules',
      },
      examples: {
        put: { path: { deviceId: 'pump-001' }, body: { status: 'enabled', statusReason: 'installed' } },
        delete: { path: { deviceId: 'pump-001' } },
      },
      body: bodySchema,
      reply: deviceSchema,
      addressed: addressedDevice,
      readBody(c, identity) {
        const { deviceId, generationId, etag, ...body } = readBody(c, bodySchema)
        requireAddressed('deviceId', deviceId, identity)
        return { body, isAsRead: Boolean(generationId ?? etag) }
      },
      toJson: deviceJson,
    }),
  ]
}

function readTop(c: ApiContext): number {
  const text = queryParameter(c, 'top')
  if (!text) return limits.pageSizeMax
  if (/^\d+$/.test(text) && Number(text) > 0) return Math.min(Number(text), limits.pageSizeMax)
  throw new HubError('ArgumentInvalid', {
    message: `top must be a whole number from 1 to ${limits.pageSizeMax}, got "${clip(text)}"`,
  })
}
