import type { GatewayId } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { gateways } from '../postgres/schema.ts'
import { at, type Db, rows } from '../postgres/sql.ts'

/** Registers a running gateway, and writes its later signs of life. */
export async function heartbeat(db: Db, gatewayId: GatewayId, now: Date): Promise<void> {
  await db
    .insert(gateways)
    .values({ gatewayId, startedAt: now, heartbeatAt: now })
    .onConflictDoUpdate({ target: gateways.gatewayId, set: { heartbeatAt: now } })
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
