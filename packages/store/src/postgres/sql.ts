import type { SqlFragment } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import type { NodePgQueryResultHKT } from 'drizzle-orm/node-postgres'
import type { PgDatabase } from 'drizzle-orm/pg-core'
import type { QueryResultRow } from 'pg'

/** A connection pool or a transaction: every statement function takes either. */
export type Db = PgDatabase<NodePgQueryResultHKT> & {
  readonly [withoutNames]?: true
  readonly [statementTimes]?: (name: string, seconds: number) => void
}

/** Marks a database in which statements have no names, because a pooler of transactions between us and Postgres may lose them. */
export const withoutNames = Symbol('statements have no names')

/** Who hears how long each hot statement took. */
export const statementTimes = Symbol('the times of statements')

/** Runs one statement. Timestamps, bigints and counts come back as text: see `instant`. */
export async function rows<Row extends Record<string, unknown>>(db: Db, query: SQL): Promise<Assume<Row>[]> {
  const { rows } = await db.execute<Row>(query)
  return rows
}

/** drizzle's own guard around the row type: the driver's rows are any objects. */
export type Assume<Row> = Row extends QueryResultRow ? Row : QueryResultRow

/** A time as a parameter. The driver takes no Date inside raw SQL. */
export function at(time: Date): SQL {
  return sql`${time.toISOString()}::timestamptz`
}

export function atOrNull(time: Date | null): SQL {
  return time === null ? sql`null::timestamptz` : at(time)
}

/** A list of texts as one array parameter, because a statement has at most 65,535 parameters. */
export function texts(values: readonly string[]): SQL {
  return sql`${sql.param(values)}::text[]`
}

/** JSON as a parameter. */
export function json(value: unknown): SQL {
  return sql`${JSON.stringify(value)}::jsonb`
}

/** A compiled condition inside a statement. Its values become parameters, and never text. */
export function embed(fragment: SqlFragment): SQL {
  return sql.join(
    fragment.strings.flatMap((text, index) =>
      index === 0 ? [sql.raw(text)] : [sql`${sql.param(fragment.values[index - 1])}`, sql.raw(text)],
    ),
  )
}

/** Sessions run in UTC. Only the ISO form is right for every year: `0001-01-01 00:00:00+00` would become 2001. */
export function instant(text: string): Date {
  return new Date(text.replace(' ', 'T').replace(/\+00$/, 'Z'))
}

export function instantOrNull(text: string | null): Date | null {
  return text === null ? null : instant(text)
}
