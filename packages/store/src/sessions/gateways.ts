import type { GatewayId } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { gateways } from '../postgres/schema.ts'
import { at, type Db, rows } from '../postgres/sql.ts'

/** A gateway writes a sign of life every 5 s. After four missing ones in a row it counts as dead. */
const deadAfterMs = 20_000

/** Who has shown no sign of life since then is dead. */
export function gatewayDeadBefore(now: Date): Date {
  return new Date(now.getTime() - deadAfterMs)
}

/** Registers a running gateway, and writes its later signs of life, with the number of connections that it holds. */
export async function heartbeat(
  db: Db,
  { gatewayId, connections }: { readonly gatewayId: GatewayId; readonly connections: number },
  now: Date,
): Promise<void> {
  await db
    .insert(gateways)
    .values({ gatewayId, startedAt: now, heartbeatAt: now, connections })
    .onConflictDoUpdate({ target: gateways.gatewayId, set: { heartbeatAt: now, connections } })
}

/** How many connections the live gateways held at their last signs of life. */
export function countedConnections(now: Date): SQL {
  return sql`(select coalesce(sum(connections), 0)::int from gateways where heartbeat_at >= ${at(gatewayDeadBefore(now))})`
}

/** A clean stop: closes the sessions of the gateway, so that no sweep has to. Returns how many there were. */
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
