import type { GatewayId } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { gateways } from '../postgres/schema.ts'
import { at, type Db, rows } from '../postgres/sql.ts'

/** Registers a running gateway, and says again that it runs. */
export async function heartbeat(db: Db, gatewayId: GatewayId, now: Date): Promise<void> {
  await db
    .insert(gateways)
    .values({ gatewayId, startedAt: now, heartbeatAt: now })
    .onConflictDoUpdate({ target: gateways.gatewayId, set: { heartbeatAt: now } })
}

/** A clean stop: its devices are disconnected, and no sweep has to find out. Returns how many there were. */
export async function removeGateway(db: Db, gatewayId: GatewayId, now: Date): Promise<number> {
  const closed = await rows(
    db,
    sql`
    with removed as (delete from gateways where gateway_id = ${gatewayId}),
    held as (
      select device_id
        from sessions
       where gateway_id = ${gatewayId}
       order by device_id
         for update)
    update sessions s
       set gateway_id = null,
           state_updated_at = ${at(now)}
      from held
     where s.device_id = held.device_id
    returning s.device_id`,
  )
  return closed.length
}

/**
 * A sweep: closes up to `limit` sessions whose gateway has shown no sign of life since `deadBefore`, or is not known at
 * all. Returns how many. The row of a dead gateway goes with the first sweep that finds no session of it. It waits for no session
 * that another holds, so that it needs no order.
 */
export async function closeSessionsOfDeadGateways(
  db: Db,
  { deadBefore, limit }: { deadBefore: Date; limit: number },
  now: Date,
): Promise<number> {
  // The owners are found by jumping from one to the next along the index: a million sessions have a few gateways.
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
