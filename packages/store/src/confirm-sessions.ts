import type { DeviceId, GatewayId } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows, texts } from './sql.ts'

/** A connection that its gateway may keep. */
export interface ConfirmedSession {
  readonly deviceId: DeviceId
  /** It had been closed for want of a sign of life of its gateway, and is open again. */
  readonly isRevived: boolean
}

/**
 * Compares the connections that a gateway believes to hold with the sessions. Returns those that stand, in no order; the
 * device of any other has been taken over, disabled or deleted, and its connection must end.
 */
export async function confirmSessions(
  db: Db,
  gatewayId: GatewayId,
  connections: readonly { readonly deviceId: DeviceId; readonly connectionNo: number }[],
  now: Date,
): Promise<ConfirmedSession[]> {
  const deviceIds = texts(connections.map(({ deviceId }) => deviceId))
  const connectionNos = texts(connections.map(({ connectionNo }) => String(connectionNo)))
  const confirmed = await rows<{ device_id: DeviceId; is_revived: boolean }>(
    db,
    sql`
    with held as (
      select s.device_id, s.gateway_id
        from unnest(${deviceIds}, ${connectionNos}::bigint[]) as connection (device_id, connection_no)
        join sessions s using (device_id, connection_no)
        join devices d using (device_id)
       where d.status = 'enabled'),
    revived as (
      update sessions s
         set gateway_id = ${gatewayId},
             state_updated_at = ${at(now)}
        from held
       where s.device_id = held.device_id
         and held.gateway_id is null
         and s.gateway_id is null
      returning s.device_id)
    select device_id, false as is_revived from held where gateway_id = ${gatewayId}
     union all
    select device_id, true from revived`,
  )
  return confirmed.map((row) => ({ deviceId: row.device_id, isRevived: row.is_revived }))
}
