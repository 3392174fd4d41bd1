import type { GatewayId, IdentityKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows, texts } from '../postgres/sql.ts'
import { validFingerprints } from '../registry/fingerprints.ts'

/** A connection that still belongs to its identity. */
export interface ConfirmedSession {
  readonly identity: IdentityKey
  /** One of the credentials that opened it would open it again. If not, its gateway must end it. */
  readonly isProven: boolean
  /** Its session had been closed without a sign of life of its gateway, and is open again. */
  readonly isRevived: boolean
  /** The version of its desired properties now. */
  readonly desiredVersion: number
}

/**
 * Compares the connections of a gateway with the sessions. Returns the connections that still count, in no order. The identity of any
 * other has been taken over, disabled or deleted, and its connection must end.
 */
export async function confirmSessions(
  db: Db,
  gatewayId: GatewayId,
  connections: readonly {
    readonly identity: IdentityKey
    readonly connectionNo: number
    /** Fingerprints of the credentials that opened it, each of which is enough. */
    readonly fingerprints: readonly string[]
  }[],
  now: Date,
): Promise<ConfirmedSession[]> {
  const identities = texts(connections.map(({ identity }) => identity))
  const connectionNos = texts(connections.map(({ connectionNo }) => String(connectionNo)))
  // Arrays in an array must all have the same length.
  const fingerprints = texts(connections.map((connection) => connection.fingerprints.join(' ')))
  const confirmed = await rows<{
    device_id: IdentityKey
    is_proven: boolean
    is_revived: boolean
    desired_version: string
  }>(
    db,
    sql`
    with held as (
      select s.device_id, s.gateway_id, s.connection_no, t.desired_version,
             string_to_array(connection.fingerprints, ' ') && ${validFingerprints} as is_proven
        from unnest(${identities}, ${connectionNos}::bigint[], ${fingerprints})
             as connection (device_id, connection_no, fingerprints)
        join sessions s using (device_id, connection_no)
        join devices d using (device_id)
        join twins t using (device_id)
        left join devices parent on parent.device_id = d.module_of
       where d.status = 'enabled'
         and parent.status is distinct from 'disabled'),
    closed as (
      select s.device_id, held.desired_version
        from held
        join sessions s using (device_id, connection_no)
       where held.is_proven
         and held.gateway_id is null
         and s.gateway_id is null
       order by s.device_id
         for update of s),
    revived as (
      update sessions s
         set gateway_id = ${gatewayId},
             state_updated_at = ${at(now)}
        from closed
       where s.device_id = closed.device_id
      returning s.device_id, closed.desired_version)
    select device_id, desired_version, is_proven, false as is_revived from held where gateway_id = ${gatewayId}
     union all
    select device_id, desired_version, true, true from revived`,
  )
  return confirmed.map((row) => ({
    identity: row.device_id,
    isProven: row.is_proven,
    isRevived: row.is_revived,
    desiredVersion: Number(row.desired_version),
  }))
}
