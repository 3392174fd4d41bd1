import { HubError, type JsonObject, limits, type MemberTexts, withTexts } from '@muster/contract'
import { parseQuery, type Query, QueryError } from '@muster/query'
import { runQuery } from '@muster/store'
import { z } from 'zod'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { readBody } from '../http/json-body.ts'
import { type ItemType, type Paging, pageHeaders } from '../http/paging.ts'
import { deviceJobSchema, rawSchema, twinSchema } from '../http/schemas.ts'
import { deviceJobJson } from '../jobs/job-json.ts'

const bodySchema = z.object({ query: z.string().min(1).max(limits.queryLength) })

export function queryRoutes({ db }: Pick<Deps, 'db'>, paging: Paging): readonly Endpoint[] {
  return [
    {
      method: 'post',
      path: '/devices/query',
      operationId: 'query',
      summary: 'Query twins (FROM devices, devices.modules) or the device jobs of jobs (FROM devices.jobs)',
      permission: 'ServiceConnect',
      throttle: 'queries',
      example: {
        body: { query: 'SELECT deviceId, tags.floor FROM devices WHERE tags.building = 43' },
        reply: [{ deviceId: 'demo-001', floor: 3 }],
      },
      headers: pageHeaders,
      body: bodySchema,
      reply: z.union([twinSchema.array(), deviceJobSchema.array(), rawSchema.array()]),
      async handle(c) {
        const { query: text } = readBody(c, bodySchema)
        const query = parse(text)
        const itemType = itemTypeOf(query)
        const write = (row: JsonObject, texts?: MemberTexts) =>
          withTexts(itemType === 'DeviceJob' ? deviceJobJson(row, c.get('vocabulary')) : row, texts)
        return paging.reply(itemType, text, await runQuery(db, query, { ...paging.read(c, text), write }))
      },
    },
  ]
}

function itemTypeOf({ source, select }: Query): ItemType {
  if (source === 'devices.jobs') return 'DeviceJob'
  return select.kind === 'documents' ? 'Twin' : 'Raw'
}

function parse(text: string): Query {
  try {
    return parseQuery(text)
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    throw new HubError('ArgumentInvalid', { message: error.message, cause: error })
  }
}
