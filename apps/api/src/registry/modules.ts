import { identityBodySchema, partsOf } from '@muster/contract'
import { listModules } from '@muster/store'
import { z } from 'zod'
import { addressedDevice, addressedModule } from '../http/address.ts'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { readBody } from '../http/json-body.ts'
import { jsonReply } from '../http/reply.ts'
import { moduleSchema } from '../http/schemas.ts'
import { unknownDevice } from '../http/unknown-identity.ts'
import { readOnlyShape } from './identity-body.ts'
import { moduleJson } from './identity-json.ts'
import { identityRoutes } from './identity-routes.ts'
import { requireAddressed } from './require-addressed.ts'

const bodySchema = identityBodySchema
  .pick({ authentication: true, managedBy: true })
  .extend({ deviceId: z.string().nullish(), moduleId: z.string().nullish(), ...readOnlyShape })

export function moduleRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/devices/{deviceId}/modules',
      operationId: 'listModules',
      summary: 'List the modules of a device',
      permission: 'RegistryRead',
      throttle: 'registryOperations',
      reply: moduleSchema.array(),
      async handle(c) {
        const deviceId = addressedDevice(c)
        const modules = await listModules(deps.db, deviceId)
        if (modules === null) throw unknownDevice(deviceId)
        return jsonReply(200, modules.map(moduleJson))
      },
    },
    ...identityRoutes(deps, {
      noun: 'module',
      path: '/devices/{deviceId}/modules/{moduleId}',
      summaries: {
        put: 'Create a module of a device; with If-Match update it',
        delete: 'Delete a module and its twin',
      },
      examples: { put: { body: { managedBy: 'operations' } }, delete: {} },
      body: bodySchema,
      reply: moduleSchema,
      addressed: addressedModule,
      readBody(c, identity) {
        const { deviceId, moduleId, generationId, etag, ...body } = readBody(c, bodySchema)
        const parts = partsOf(identity)
        requireAddressed('deviceId', deviceId, parts.deviceId)
        requireAddressed('moduleId', moduleId, String(parts.moduleId))
        return { body, isAsRead: Boolean(generationId ?? etag) }
      },
      toJson: moduleJson,
    }),
  ]
}
