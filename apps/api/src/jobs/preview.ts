import { limits } from '@muster/contract'
import { previewTarget } from '@muster/store'
import { z } from 'zod'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { readBody } from '../http/json-body.ts'
import { jsonReply } from '../http/reply.ts'
import { previewSchema } from '../http/schemas.ts'
import { parseTarget, targetShape } from './target.ts'

const bodySchema = z.object(targetShape)

/** The devices that a job would find, for a caller who wants to know before creating it. The target is read as for a job. */
export function previewRoutes({ db }: Pick<Deps, 'db'>): readonly Endpoint[] {
  return [
    {
      method: 'post',
      path: '/jobs/v2/preview',
      operationId: 'previewJob',
      summary: 'Count the devices that a job with this target would be for, if it started now; nothing is written',
      permission: 'ServiceConnect',
      throttle: 'queries',
      example: { body: { queryCondition: 'tags.building = 43 AND tags.floor = 3' } },
      body: bodySchema,
      bodyBytes: limits.jobBodyBytes,
      reply: previewSchema,
      async handle(c) {
        const { target } = parseTarget(readBody(c, bodySchema))
        return jsonReply(200, await previewTarget(db, target))
      },
    },
  ]
}
