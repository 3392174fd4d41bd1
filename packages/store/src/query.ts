import type { JsonObject } from '@muster/contract'
import { type Column, type Columns, compileCondition, type Expression } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { withinQueryTime } from './query-time.ts'
import { type Db, embed, rows } from './sql.ts'
import { deviceEtag, selectTwins, type TwinRow, twinDocument, twinEtag } from './twin-document.ts'

/** Where a page begins: behind the position at which another ended, or at the start. */
export interface PageRequest {
  readonly limit: number
  readonly after: string | null
}

export interface Page {
  readonly items: readonly JsonObject[]
  /** The position at which the next page begins; null when there is none. */
  readonly continuation: string | null
}

/**
 * The twins that a condition selects, in device id order; `null` selects all.
 * @throws HubError GatewayTimeout when the search takes too long.
 */
export async function queryDevices(db: Db, where: Expression | null, request: PageRequest): Promise<Page> {
  const found = await withinQueryTime(db, (tx) => rows<TwinRow>(tx, selectPage(where, request)))
  const page = found.slice(0, request.limit)
  return {
    items: page.map(twinDocument),
    continuation: found.length > request.limit ? (page.at(-1)?.device_id ?? null) : null,
  }
}

/**
 * The statement of a page and one twin more. The ids are found with the tables that the condition needs; only then come
 * the documents, and only those of the page.
 */
export function selectPage(where: Expression | null, { limit, after }: PageRequest): SQL {
  const { sql: condition, roots } = compileCondition(where, deviceColumns)
  return sql`
    with page as materialized (
      select t.device_id
        ${devicesFrom(roots)}
       where ${embed(condition)}
         and ${after === null ? sql`true` : sql`t.device_id > ${after}`}
       order by t.device_id
       limit ${limit + 1})
    ${selectTwins}
      join page on page.device_id = t.device_id
     order by t.device_id`
}

const twinColumns: Columns = new Map<string, Column>([
  ['deviceId', { kind: 'text', sql: 't.device_id' }],
  ['etag', { kind: 'text', sql: twinEtag }],
  ['modelId', { kind: 'text', sql: 't.model_id' }],
  ['version', { kind: 'number', sql: 't.version' }],
  ['cloudToDeviceMessageCount', { kind: 'number', sql: '0' }],
  ['tags', { kind: 'json', sql: 't.tags', undefinedWhenEmpty: true }],
  ['properties.desired', { kind: 'json', sql: 't.desired' }],
  ['properties.desired.$version', { kind: 'number', sql: 't.desired_version' }],
  ['properties.desired.$metadata', { kind: 'json', sql: 't.desired_metadata' }],
  ['properties.reported', { kind: 'json', sql: 't.reported' }],
  ['properties.reported.$version', { kind: 'number', sql: 't.reported_version' }],
  ['properties.reported.$metadata', { kind: 'json', sql: 't.reported_metadata' }],
])

const identityColumns: Columns = new Map<string, Column>([
  ['deviceEtag', { kind: 'text', sql: deviceEtag }],
  ['status', { kind: 'text', sql: 'd.status' }],
  ['statusReason', { kind: 'text', sql: 'd.status_reason', undefinedWhenNull: true }],
  ['statusUpdateTime', { kind: 'instant', sql: orNever('d.status_updated_at') }],
  ['authenticationType', { kind: 'text', sql: 'd.authentication_type' }],
  ['x509Thumbprint.primaryThumbprint', { kind: 'text', sql: 'd.primary_thumbprint' }],
  ['x509Thumbprint.secondaryThumbprint', { kind: 'text', sql: 'd.secondary_thumbprint' }],
  ['capabilities.iotEdge', { kind: 'json', sql: 'to_jsonb(d.is_edge)' }],
])

const sessionColumns: Columns = new Map<string, Column>([
  ['connectionState', { kind: 'text', sql: `case when s.gateway_id is null then 'Disconnected' else 'Connected' end` }],
  ['lastActivityTime', { kind: 'instant', sql: orNever('s.last_activity_at') }],
])

/** The members of a twin that a condition may name. Tables: t twins, d devices, s sessions; see `devicesFrom`. */
export const deviceColumns: Columns = new Map([...twinColumns, ...identityColumns, ...sessionColumns])

/** `from ...` with the tables that a condition over these columns needs, a row per device. */
export function devicesFrom(roots: ReadonlySet<string>): SQL {
  const needs = (columns: Columns) => [...roots].some((root) => columns.has(root))
  const devices = needs(identityColumns) ? sql`join devices d on d.device_id = t.device_id` : sql``
  const sessions = needs(sessionColumns) ? sql`left join sessions s on s.device_id = t.device_id` : sql``
  return sql`from twins t ${devices} ${sessions}`
}

function orNever(column: string): string {
  return `coalesce(${column}, timestamptz '0001-01-01T00:00:00Z')`
}
