import type { JobKey } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'

type JobEventKind = 'created' | 'started' | 'completed' | 'failed' | 'cancelled' | 'expired'

interface JobEvent {
  readonly kind: JobEventKind
  readonly now: Date
  /** Null: the hub itself. */
  readonly actor?: string | null
  /** A jsonb object. */
  readonly fields?: SQL
}

/**
 * The part of a statement that adds an event for each job that the statement has changed. `changed` is the part that returns their
 * `job_key`. So there is no change without its event, and no event without its change.
 */
export function jobEvent({ kind, now, actor = null, fields = sql`'{}'::jsonb` }: JobEvent, changed: SQL): SQL {
  return sql`event as (
      insert into job_events (job_key, kind, at, actor, fields)
      select job_key, ${kind}::text, ${at(now)}, ${actor}::text, ${fields}
        from ${changed})`
}

/** Adds an event in the transaction that makes the change. */
export async function addJobEvent(tx: Db, key: JobKey, event: JobEvent): Promise<void> {
  await rows(tx, sql`with ${jobEvent(event, sql`(select ${key}::bigint as job_key) as changed`)} select 1 as added`)
}
