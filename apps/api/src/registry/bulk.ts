import { limits, registryEntrySchema } from '@muster/contract'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { jsonReply } from '../http/reply.ts'
import { bulkResultSchema } from '../http/schemas.ts'
import { readChanges } from './bulk-body.ts'
import { importDevices } from './import-devices.ts'

export function bulkRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'post',
      path: '/devices',
      operationId: 'changeDevices',
      summary: 'Create, update or delete up to 100 devices; 400 with the same reply when some could not be',
      permission: 'RegistryWrite',
      throttle: 'registryOperations',
      example: {
        body: [
          { id: 'pump-002', importMode: 'create', status: 'enabled', tags: { building: 43, floor: 3 } },
          { id: 'pump-003', importMode: 'create', status: 'enabled', tags: { building: 43, floor: 4 } },
        ],
      },
      body: registryEntrySchema.array(),
      bodyBytes: limits.bulkBodyBytes,
      reply: bulkResultSchema,
      async handle(c) {
        const { changes, refusals } = readChanges(readDocument(c))
        const errors = [...refusals, ...(await importDevices(deps, changes))]
        if (errors.length === 0) return jsonReply(200, { isSuccessful: true, errors, warnings: [] })
        const header = { 'iothub-errorcode': 'BulkRegistryOperationFailure' }
        return jsonReply(400, { isSuccessful: false, errors, warnings: [] }, header)
      },
    },
  ]
}
