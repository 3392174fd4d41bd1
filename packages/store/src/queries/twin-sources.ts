import { isDeviceId } from '@muster/contract'
import { type Columns, compileCondition, type Expression } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { embed } from '../postgres/sql.ts'
import { deviceColumns, identityColumns, moduleColumns, sessionColumns } from './twin-columns.ts'

/** Twins of one kind, and how to find them. Tables: t twins, d devices, s sessions. */
export interface TwinSource {
  /** The members that a query may name. */
  readonly columns: Columns
  /** A predicate that leaves out the twins of other kinds. */
  readonly isOfKind: SQL
  /** The order of the rows, by an index. */
  readonly order: SQL
  /** The place of a key of the table, `device_id`, in that order. */
  placeOf(key: string): SQL
  isKey(text: string): boolean
}

export const twinSources: Record<'devices' | 'devices.modules', TwinSource> = {
  devices: {
    columns: deviceColumns,
    isOfKind: sql`t.module_id is null`,
    order: sql`t.device_id`,
    placeOf: (key) => sql`${key}::text`,
    isKey: isDeviceId,
  },
  'devices.modules': {
    columns: moduleColumns,
    isOfKind: sql`t.module_id is not null`,
    order: sql`split_part(t.device_id, '/', 1), t.module_id`,
    placeOf: (key) => sql`split_part(${key}::text, '/', 1), split_part(${key}::text, '/', 2)`,
    isKey: (text) => /^[^/]+\/[^/]+$/.test(text),
  },
}

/** `from ... where ...`: a row for each twin that a condition selects. `members`: keys of other columns that are read. */
export function twinsWhere(source: TwinSource, where: Expression | null, members: Iterable<string> = []): SQL {
  const { sql: condition, roots } = compileCondition(where, source.columns)
  const needs = needsOf([...roots, ...members])
  return sql`
    from twins t
    ${needs.identity ? sql`join devices d on d.device_id = t.device_id` : sql``}
    ${needs.session ? sql`left join sessions s on s.device_id = t.device_id` : sql``}
   where ${source.isOfKind}
     and ${embed(condition)}`
}

/**
 * The same, but only for the next so many twins after a place, selected or not. Postgres walks along them in their order and looks up
 * the other tables for each, whatever the planner thinks of the condition: OFFSET 0 ensures that.
 */
export function nextTwinsWhere(
  source: TwinSource,
  where: Expression | null,
  { after, count }: { after: string | null; count: number },
): SQL {
  const { sql: condition, roots } = compileCondition(where, source.columns)
  const needs = needsOf([...roots])
  const lookUp = (table: SQL) => sql`lateral (select * from ${table} where device_id = t.device_id offset 0)`
  return sql`
    from (select *
            from twins t
           where ${source.isOfKind}
             and ${isBehind(source, after)}
           order by ${source.order}
           limit ${count}) as t
    ${needs.identity ? sql`join ${lookUp(sql`devices`)} d on true` : sql``}
    ${needs.session ? sql`left join ${lookUp(sql`sessions`)} s on true` : sql``}
   where ${embed(condition)}`
}

/** Null is the start. */
export function isBehind(source: TwinSource, after: string | null): SQL {
  return after === null ? sql`true` : sql`(${source.order}) > (${source.placeOf(after)})`
}

function needsOf(members: readonly string[]): { readonly identity: boolean; readonly session: boolean } {
  const areOf = (columns: Columns) => members.some((member) => columns.has(member))
  return { identity: areOf(identityColumns), session: areOf(sessionColumns) }
}
