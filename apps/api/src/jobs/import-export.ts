import { clip, HubError } from '@muster/contract'
import type { ApiContext, Endpoint } from '../http/endpoint.ts'
import { jsonReply } from '../http/reply.ts'
import { jobSchema } from '../http/schemas.ts'

/** This hub has no import and export jobs. Clients that list them beside the jobs of `/jobs/v2` find none. */
export function importExportRoutes(): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/jobs',
      operationId: 'listImportExportJobs',
      summary: 'List import and export jobs: there are none',
      permission: 'RegistryWrite',
      throttle: 'jobOperations',
      reply: jobSchema.array(),
      handle: async () => jsonReply(200, []),
    },
    {
      method: 'post',
      path: '/jobs/create',
      operationId: 'createImportExportJob',
      summary: 'Refused: this hub has no import and export jobs',
      permission: 'RegistryWrite',
      throttle: 'jobOperations',
      reply: jobSchema,
      async handle() {
        throw new HubError('InvalidOperation', {
          message:
            'This hub has no import and export jobs; POST /devices changes up to 100 devices, POST /devices/query reads them',
        })
      },
    },
    {
      method: 'get',
      path: '/jobs/{jobId}',
      operationId: 'getImportExportJob',
      summary: 'Read an import or export job: there is none',
      permission: 'RegistryWrite',
      throttle: 'jobOperations',
      reply: jobSchema,
      handle: async (c) => refuse(c),
    },
    {
      method: 'delete',
      path: '/jobs/{jobId}',
      operationId: 'cancelImportExportJob',
      summary: 'Cancel an import or export job: there is none',
      permission: 'RegistryWrite',
      throttle: 'jobOperations',
      reply: null,
      handle: async (c) => refuse(c),
    },
  ]
}

function refuse(c: ApiContext): never {
  throw new HubError('JobNotFound', {
    message: `There is no import or export job with the id ${clip(c.req.param('jobId') ?? '')}`,
  })
}
