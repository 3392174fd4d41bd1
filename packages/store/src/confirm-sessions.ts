import type { GatewayId, IdentityKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { authenticationHash } from './identities.ts'
import { at, type Db, rows, texts } from './sql.ts'

/** A connection that its gateway may keep. */
export interface ConfirmedSession {
  readonly identity: IdentityKey
  /** It had been closed for want of a sign of life of its gateway, and is open again. */
  readonly isRevived: boolean
  /** Of its desired properties, now. */
  readonly desiredVersion: number
}

/**
 * Compares the connections that a gateway believes to hold with the sessions. Returns those that stand, in no order; the
 * identity of any other has been taken over, disabled, deleted or given other keys, and its connection must end.
 */
export async function confirmSessions(
  db: Db,
  gatewayId: GatewayId,
  connections: readonly {
    readonly identity: IdentityKey
    readonly connectionNo: number
    /** Of the credentials by which it was opened. */
    readonly authenticationHash: string
  }[],
  now: Date,
): Promise<ConfirmedSession[]> {
  const identities = texts(connections.map(({ identity }) => identity))
  const connectionNos = texts(connections.map(({ connectionNo }) => String(connectionNo)))
  const hashes = texts(connections.map((connection) => connection.authenticationHash))
  const confirmed = await rows<{ device_id: IdentityKey; is_revived: boolean; desired_version: string }>(
    db,
    sql`
    with held as (
      select s.device_id, s.gateway_id, t.desired_version
        from unnest(${identities}, ${connectionNos}::bigint[], ${hashes}) as connection (device_id, connection_no, hash)
        join sessions s using (device_id, connection_no)
        join devices d using (device_id)
        join twins t using (device_id)
        left join devices parent on parent.device_id = d.module_of
       where d.status = 'enabled'
         and parent.status is distinct from 'disabled'
         and ${authenticationHash} = connection.hash),
    revived as (
      update sessions s
         set gateway_id = ${gatewayId},
             state_updated_at = ${at(now)}
        from held
       where s.device_id = held.device_id
         and held.gateway_id is null
         and s.gateway_id is null
      returning s.device_id, held.desired_version)
    select device_id, desired_version, false as is_revived from held where gateway_id = ${gatewayId}
     union all
    select device_id, desired_version, true from revived`,
  )
  return confirmed.map((row) => ({
    identity: row.device_id,
    isRevived: row.is_revived,
    desiredVersion: Number(row.desired_version),
  }))
}
