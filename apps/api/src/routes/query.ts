import { HubError, limits } from '@muster/contract'
import { parseQuery, type Query, QueryError } from '@muster/query'
import { queryDeviceJobs, queryDevices } from '@muster/store'
import { z } from 'zod'
import type { Deps, Endpoint } from '../endpoint.ts'
import { deviceJobJson } from '../job-json.ts'
import { readBody } from '../json-body.ts'
import { type Paging, pageHeaders } from '../paging.ts'
import { jsonReply } from '../reply.ts'
import { deviceJobSchema, twinSchema } from '../schemas.ts'

const bodySchema = z.object({ query: z.string().min(1).max(limits.queryLength) })

export function queryRoutes({ db }: Pick<Deps, 'db'>, paging: Paging): readonly Endpoint[] {
  return [
    {
      method: 'post',
      path: '/devices/query',
      summary: 'Query twins (FROM devices) or the device jobs of jobs (FROM devices.jobs)',
      permission: 'ServiceConnect',
      headers: pageHeaders,
      body: bodySchema,
      reply: z.union([twinSchema.array(), deviceJobSchema.array()]),
      async handle(c) {
        const { query: text } = await readBody(c, bodySchema)
        const { source, where } = parse(text)
        const page = paging.read(c, text)
        if (source === 'devices') {
          const { items, continuation } = await queryDevices(db, where, page)
          return jsonReply(200, items, paging.headers('Twin', text, continuation))
        }
        const { items, continuation } = await queryDeviceJobs(db, where, page)
        const rows = items.map((row) => deviceJobJson(row, c.get('vocabulary')))
        return jsonReply(200, rows, paging.headers('DeviceJob', text, continuation))
      },
    },
  ]
}

function parse(text: string): Query {
  try {
    return parseQuery(text)
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    throw new HubError('ArgumentInvalid', { message: error.message, cause: error })
  }
}
