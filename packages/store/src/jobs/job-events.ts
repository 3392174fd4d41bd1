import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'

/** As the table has them. On the wire `completed` and `failed` are `ended`. */
export type StoredEventKind =
  | 'created'
  | 'started'
  | 'stage'
  | 'paused'
  | 'resumed'
  | 'changed'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'expired'

/** Who asked for a change of a job. */
export interface Asker {
  /** The account. Null: the hub itself. */
  readonly actor: string | null
  /** The IP address from which the request came. Null: nobody knows. */
  readonly clientAddress: string | null
}

export const hubItself: Asker = { actor: null, clientAddress: null }

interface JobEvent {
  readonly kind: StoredEventKind
  readonly now: Date
  readonly asker?: Asker
  /** A jsonb object. */
  readonly fields?: SQL
}

/**
 * The part of a statement that adds an event for each job that the statement has changed. `changed` is the part that returns their
 * `job_key`. So there is no change without its event, and no event without its change. The change comes before the event in its
 * transaction, also because the order of events rests on it: see `pollJobEvents`.
 */
export function jobEvent({ kind, now, asker = hubItself, fields = sql`'{}'::jsonb` }: JobEvent, changed: SQL): SQL {
  return sql`event as (
      insert into job_events (job_key, kind, at, actor, client_address, fields)
      select job_key, ${kind}::text, ${at(now)}, ${asker.actor}::text, ${asker.clientAddress}::text, ${fields}
        from ${changed})`
}

/** Adds an event in the transaction that makes the change. `changed`: a part of a `from` that has the `job_key`. */
export async function addJobEvent(tx: Db, event: JobEvent, changed: SQL): Promise<void> {
  await rows(tx, sql`with ${jobEvent(event, changed)} select 1 as added`)
}
