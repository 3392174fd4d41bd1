import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'

/**
 * Closes up to `limit` sessions whose gateway has shown no sign of life since `deadBefore`, or is unknown. Returns how many. The first
 * sweep that finds no session of a dead gateway deletes its row. It skips locked sessions, so it needs no order.
 */
export async function closeSessionsOfDeadGateways(
  db: Db,
  { deadBefore, limit }: { deadBefore: Date; limit: number },
  now: Date,
): Promise<number> {
  // Jumps from one gateway to the next along the index, because a million sessions have few gateways.
  const closed = await rows(
    db,
    sql`
    with recursive owner (gateway_id) as (
      select min(gateway_id) from sessions where gateway_id is not null
       union all
      select (select min(s.gateway_id) from sessions s where s.gateway_id > owner.gateway_id)
        from owner
       where owner.gateway_id is not null),
    lost as (
      select device_id
        from sessions
       where gateway_id = any(array(
         select gateway_id from owner
         except
         select gateway_id from gateways where heartbeat_at >= ${at(deadBefore)}))
       limit ${limit}
         for update skip locked),
    removed as (
      delete from gateways g
       where heartbeat_at < ${at(deadBefore)}
         and not exists (select from sessions where gateway_id = g.gateway_id))
    update sessions s
       set gateway_id = null,
           state_updated_at = ${at(now)}
      from lost
     where s.device_id = lost.device_id
    returning s.device_id`,
  )
  return closed.length
}
