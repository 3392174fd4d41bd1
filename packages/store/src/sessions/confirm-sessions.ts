import type { GatewayId, IdentityKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows, texts } from '../postgres/sql.ts'
import { validFingerprints } from '../registry/fingerprints.ts'

/** A connection that is still its identity's. */
export interface ConfirmedSession {
  readonly identity: IdentityKey
  /** One of the credentials that opened it would do so again. Its gateway may keep no other. */
  readonly isProven: boolean
  /** It had been closed for want of a sign of life of its gateway, and is open again. */
  readonly isRevived: boolean
  /** Of its desired properties, now. */
  readonly desiredVersion: number
}

/**
 * Compares the connections that a gateway believes to hold with the sessions. Returns those that stand, in no order; the
 * identity of any other has been taken over, disabled or deleted, and its connection must end.
 */
export async function confirmSessions(
  db: Db,
  gatewayId: GatewayId,
  connections: readonly {
    readonly identity: IdentityKey
    readonly connectionNo: number
    /** Of the credentials that opened it, each of which is enough. */
    readonly fingerprints: readonly string[]
  }[],
  now: Date,
): Promise<ConfirmedSession[]> {
  const identities = texts(connections.map(({ identity }) => identity))
  const connectionNos = texts(connections.map(({ connectionNo }) => String(connectionNo)))
  // Arrays in an array would all have to be of one length.
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
