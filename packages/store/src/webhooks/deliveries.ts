import type { JobEventKind, WebhookKey } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { shownKind } from '../events/job-event-rows.ts'
import type { StoredEventKind } from '../jobs/job-events.ts'
import type { Page, WrittenPageRequest } from '../postgres/page.ts'
import { at, type Db, instant, instantOrNull, rows } from '../postgres/sql.ts'
import type { DeliveryState } from './webhook.ts'

/** For so long an event is tried again. */
const dayMs = 24 * 3_600_000

/** So many dead deliveries are replayed at once. */
export const replayLimit = 10_000

export interface Delivery {
  readonly eventNo: number
  readonly jobId: string
  readonly kind: JobEventKind
  readonly eventTime: Date
  readonly state: DeliveryState
  readonly attempts: number
  /** Null: it has ended. */
  readonly nextTime: Date | null
  readonly endTime: Date | null
  /** What came of the last try that failed. */
  readonly failure: string | null
}

/** A page of the deliveries of a webhook, latest event first. `state`: null for any. */
export async function listDeliveries(
  db: Db,
  { key, state }: { readonly key: WebhookKey; readonly state: DeliveryState | null },
  { limit, after, write }: WrittenPageRequest<Delivery>,
): Promise<Page> {
  const inState = (one: SQL) => sql`
    (select *
       from webhook_deliveries
      where webhook_key = ${key}
        and state = ${one}
        and event_no < ${after ?? '9223372036854775807'}::bigint
      order by event_no desc
      limit ${limit + 1})`
  const states = state === null ? [sql`'pending'`, sql`'delivered'`, sql`'dead'`] : [sql`${state}`]
  const found = await rows<DeliveryRow>(
    db,
    sql`
    select d.event_no::text, job.job_id, event.kind, event.at::text, d.state, d.attempts,
           d.not_before::text, d.ended_at::text, d.failure
      from (${sql.join(states.map(inState), sql` union all `)}) as d
      join job_events event using (event_no)
      join jobs job on job.job_key = d.job_key
     order by d.event_no desc
     limit ${limit + 1}`,
  )
  const shown = found.slice(0, limit)
  const continuation = found.length > limit ? (shown.at(-1)?.event_no ?? null) : null
  return { items: shown.map((row) => write(toDelivery(row))), continuation }
}

export type Replay = 'replayed' | 'pending' | 'missing'

/** Sends an event once more, from now on for a day. `pending`: it is being tried anyway. */
export async function replayDelivery(db: Db, key: WebhookKey, eventNo: number, now: Date): Promise<Replay> {
  const [row] = await rows<{ is_replayed: boolean }>(
    db,
    sql`
    with replayed as (
      update webhook_deliveries
         set ${anew(now)}
       where webhook_key = ${key}
         and event_no = ${eventNo}::bigint
         and state in ('delivered', 'dead')
      returning event_no)
    select exists (select from replayed) as is_replayed
      from webhook_deliveries
     where webhook_key = ${key}
       and state in ('pending', 'delivered', 'dead')
       and event_no = ${eventNo}::bigint`,
  )
  if (row === undefined) return 'missing'
  return row.is_replayed ? 'replayed' : 'pending'
}

/** Sends the dead events of a webhook once more, oldest first, at most `replayLimit` of them. Returns how many. */
export async function replayDead(db: Db, key: WebhookKey, now: Date): Promise<number> {
  const replayed = await rows(
    db,
    sql`
    with dead as (
      select job_key, webhook_key, event_no
        from webhook_deliveries
       where webhook_key = ${key}
         and state = 'dead'
       order by event_no
       limit ${replayLimit}
         for update skip locked)
    update webhook_deliveries d
       set ${anew(now)}
      from dead
     where d.job_key = dead.job_key and d.webhook_key = dead.webhook_key and d.event_no = dead.event_no
       and d.state = 'dead'
    returning d.event_no`,
  )
  return replayed.length
}

/** The attempts go on: they are the fence, and a try that was given up may still be on its way. */
function anew(now: Date): SQL {
  return sql`state = 'pending', ended_at = null, failures = 0, not_before = ${at(now)}, dies_at = ${at(new Date(now.getTime() + dayMs))}`
}

interface DeliveryRow extends Record<string, unknown> {
  readonly event_no: string
  readonly job_id: string
  readonly kind: StoredEventKind
  readonly at: string
  readonly state: DeliveryState
  readonly attempts: number
  readonly not_before: string
  readonly ended_at: string | null
  readonly failure: string | null
}

function toDelivery(row: DeliveryRow): Delivery {
  return {
    eventNo: Number(row.event_no),
    jobId: row.job_id,
    kind: shownKind(row.kind),
    eventTime: instant(row.at),
    state: row.state,
    attempts: row.attempts,
    nextTime: row.state === 'pending' ? instant(row.not_before) : null,
    endTime: instantOrNull(row.ended_at),
    failure: row.failure,
  }
}
