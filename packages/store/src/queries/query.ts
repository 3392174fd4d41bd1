import type { Query } from '@muster/query'
import { foreignPosition, type Page, type QueryPageRequest } from '../postgres/page.ts'
import type { Db } from '../postgres/sql.ts'
import { queryDeviceJobs } from './device-jobs.ts'
import { queryGroups } from './groups.ts'
import { twinSources } from './twin-sources.ts'
import { queryTwins } from './twins.ts'

/**
 * A page of the results of a query. Twins are ordered by device id, then module id; device jobs as in `queryDeviceJobs`; groups by their
 * keys. The order does not depend on the page: a row that comes or goes between two pages makes no other row come twice or disappear.
 * @throws HubError GatewayTimeout when the search takes too long, ArgumentInvalid for a position of no page
 */
export async function runQuery(db: Db, query: Query, request: QueryPageRequest): Promise<Page> {
  const { limit, after } = request
  if (query.top === null) return queryPage(db, query, request)
  const start = after === null ? { left: query.top, after } : parsePosition(after)
  const page = await queryPage(db, query, { ...request, limit: Math.min(limit, start.left), after: start.after })
  const left = start.left - page.items.length
  const isLast = left === 0 || page.continuation === null
  return { items: page.items, continuation: isLast ? null : `${left} ${page.continuation}` }
}

async function queryPage(db: Db, { source, select, where }: Query, request: QueryPageRequest): Promise<Page> {
  if (source === 'devices.jobs') return queryDeviceJobs(db, where, request)
  const twins = twinSources[source]
  if (select.kind === 'grouping') return queryGroups(db, twins, { grouping: select, where }, request)
  return queryTwins(db, twins, { where, projection: select.kind === 'projection' ? select : null }, request)
}

/** For TOP: how many rows are left, and the position of the query without TOP. */
function parsePosition(text: string): { readonly left: number; readonly after: string } {
  const [, left, after] = /^([1-9]\d{0,15}) (.+)$/s.exec(text) ?? []
  if (left === undefined || after === undefined) throw foreignPosition()
  return { left: Number(left), after }
}
