import type { GatewayId, IdentityKey } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, rows, texts } from '../postgres/sql.ts'

/** A connection, and when it was last heard of. */
export interface HeardConnection {
  readonly identity: IdentityKey
  readonly connectionNo: number
  /** When it last sent or received something. */
  readonly lastActivityAt: Date
}

/**
 * Writes the end of connections of a gateway. A session that a newer connection owns does not change. Returns the identities whose
 * session is locked now, and was not changed. With `waits` it waits for them, and returns none.
 */
export async function closeSessions(
  db: Db,
  gatewayId: GatewayId,
  ended: readonly HeardConnection[],
  { waits }: { waits: boolean },
  now: Date,
): Promise<IdentityKey[]> {
  const left = await rows<{ device_id: IdentityKey }>(
    db,
    sql`
    with ended as (
      select s.device_id, s.connection_no, ended.last_activity_at
        from ${connections(ended)}
        join sessions s using (device_id, connection_no)
       where s.gateway_id = ${gatewayId}),
    free as (
      select s.device_id, ended.last_activity_at
        from ended
        join sessions s using (device_id, connection_no)
       where s.gateway_id = ${gatewayId}
       order by s.device_id
         for update of s ${waits ? sql`` : sql`skip locked`}),
    closed as (
      update sessions s
         set gateway_id = null,
             state_updated_at = ${at(now)},
             last_activity_at = greatest(s.last_activity_at, free.last_activity_at)
        from free
       where s.device_id = free.device_id)
    select device_id from ended
    except
    select device_id from free`,
  )
  // Who waited for a lock may have lost the session to a newer connection meanwhile.
  return waits ? [] : left.map((row) => row.device_id)
}

/**
 * Notes when connections of a gateway last sent or received something. Time never goes back. Returns how many it noted. It passes over
 * sessions that are locked: the end of their connections writes the time again.
 */
export async function recordActivity(
  db: Db,
  gatewayId: GatewayId,
  active: readonly HeardConnection[],
): Promise<number> {
  const noted = await rows(
    db,
    sql`
    update sessions s
       set last_activity_at = active.last_activity_at
      from (select s.device_id, active.last_activity_at
              from ${connections(active, 'active')}
              join sessions s using (device_id, connection_no)
             where s.gateway_id = ${gatewayId}
               and s.last_activity_at < active.last_activity_at
             order by s.device_id
               for update of s skip locked) as active
     where s.device_id = active.device_id
    returning s.device_id`,
  )
  return noted.length
}

/** Connections as rows with the columns of `sessions`. */
function connections(listed: readonly HeardConnection[], name = 'ended'): SQL {
  const identities = texts(listed.map(({ identity }) => identity))
  const connectionNos = texts(listed.map(({ connectionNo }) => String(connectionNo)))
  const times = texts(listed.map(({ lastActivityAt }) => lastActivityAt.toISOString()))
  return sql`unnest(${identities}, ${connectionNos}::bigint[], ${times}::timestamptz[])
             as ${sql.raw(name)} (device_id, connection_no, last_activity_at)`
}
