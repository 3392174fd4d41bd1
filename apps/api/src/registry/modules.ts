import { partsOf } from '@muster/contract'
import { listModules } from '@muster/store'
import { z } from 'zod'
import { addressedDevice, addressedModule } from '../http/address.ts'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { etagHeader, readIfMatch } from '../http/etag.ts'
import { readBody } from '../http/json-body.ts'
import { jsonReply } from '../http/reply.ts'
import { moduleSchema } from '../http/schemas.ts'
import { unknownDevice } from '../http/unknown-identity.ts'
import { putIdentity, readExisting, removeIdentity } from './identities.ts'
import { identityBodySchema } from './identity-body.ts'
import { moduleJson } from './identity-json.ts'
import { requireAddressed } from './require-addressed.ts'

const bodySchema = identityBodySchema
  .pick({ authentication: true, managedBy: true })
  .extend({ deviceId: z.string().nullish(), moduleId: z.string().nullish() })

export function moduleRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/devices/{deviceId}/modules',
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
    {
      method: 'put',
      path: '/devices/{deviceId}/modules/{moduleId}',
      summary: 'Create a module of a device; with If-Match update it',
      permission: 'RegistryWrite',
      throttle: 'registryOperations',
      headers: { 'if-match': 'Update: the etag of the module, or * for whatever it is. Nothing: create' },
      body: bodySchema,
      reply: moduleSchema,
      async handle(c) {
        const identity = addressedModule(c)
        const { deviceId, moduleId, ...body } = readBody(c, bodySchema)
        const parts = partsOf(identity)
        requireAddressed('deviceId', deviceId, parts.deviceId)
        requireAddressed('moduleId', moduleId, String(parts.moduleId))
        const module = await putIdentity(deps, { identity, body, ifMatch: readIfMatch(c) })
        return jsonReply(200, moduleJson(module), etagHeader(module.etag))
      },
    },
    {
      method: 'get',
      path: '/devices/{deviceId}/modules/{moduleId}',
      summary: 'Read a module',
      permission: 'RegistryRead',
      throttle: 'registryOperations',
      reply: moduleSchema,
      async handle(c) {
        const module = await readExisting(deps, addressedModule(c))
        return jsonReply(200, moduleJson(module), etagHeader(module.etag))
      },
    },
    {
      method: 'delete',
      path: '/devices/{deviceId}/modules/{moduleId}',
      summary: 'Delete a module and its twin',
      permission: 'RegistryWrite',
      throttle: 'registryOperations',
      headers: { 'if-match': 'The etag of the module; * or nothing: whatever it is' },
      reply: null,
      async handle(c) {
        await removeIdentity(deps, addressedModule(c), readIfMatch(c).etag)
        return new Response(null, { status: 204 })
      },
    },
  ]
}
