import { formatInstant, type GatewayId, type IdentityKey, type JsonObject, partsOf } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { instantOrNull } from '../postgres/sql.ts'

/** SQL of the etag of the twin on the wire: its counter as 8 bytes, big-endian, in base64. */
export const twinEtag = `encode(int8send(t.etag), 'base64')`

/** SQL of the etag of the identity on the wire: its counter in decimal digits, in base64. */
export const deviceEtag = `encode(convert_to(d.etag::text, 'UTF8'), 'base64')`

/** SQL of the scope of a device: an edge device has its own, any other one that of its first parent. Null: it has none. */
export const deviceScope = `case when d.is_edge then 'ms-azure-iot-edge://' || d.device_id || '-' || d.generation_id
                                 else d.parent_scopes[1] end`

/** `select ... from` of whole twins, for `twinDocument`. Tables: t twins, d devices, s sessions. */
export const selectTwins: SQL = sql`
  select t.device_id, ${sql.raw(twinEtag)} as etag, ${sql.raw(deviceEtag)} as device_etag,
         d.status, d.status_reason, d.status_updated_at::text, d.authentication_type,
         d.primary_thumbprint, d.secondary_thumbprint, d.is_edge, ${sql.raw(deviceScope)} as device_scope, d.parent_scopes,
         s.gateway_id, s.last_activity_at::text,
         t.model_id, t.version::text, t.tags,
         t.desired, t.desired_version::text, t.desired_metadata,
         t.reported, t.reported_version::text, t.reported_metadata
    from twins t
    join devices d on d.device_id = t.device_id
    left join sessions s on s.device_id = t.device_id`

export interface TwinRow extends Record<string, unknown> {
  readonly device_id: IdentityKey
  readonly etag: string
  readonly device_etag: string
  readonly status: string
  readonly status_reason: string | null
  readonly status_updated_at: string | null
  readonly authentication_type: string
  readonly primary_thumbprint: string | null
  readonly secondary_thumbprint: string | null
  readonly is_edge: boolean
  readonly device_scope: string | null
  readonly parent_scopes: readonly string[]
  readonly gateway_id: GatewayId | null
  readonly last_activity_at: string | null
  readonly model_id: string
  readonly version: string
  readonly tags: JsonObject
  readonly desired: JsonObject
  readonly desired_version: string
  readonly desired_metadata: JsonObject
  readonly reported: JsonObject
  readonly reported_version: string
  readonly reported_metadata: JsonObject
}

/**
 * A twin as the wire shows it, with its members in the order of Azure IoT Hub. Empty tags are left out, as in Azure IoT Hub. So are the
 * capabilities of a module.
 */
export function twinDocument(row: TwinRow): JsonObject {
  const { deviceId, moduleId } = partsOf(row.device_id)
  return {
    deviceId,
    ...(moduleId === null ? {} : { moduleId }),
    etag: row.etag,
    deviceEtag: row.device_etag,
    status: row.status,
    ...(row.status_reason === null ? {} : { statusReason: row.status_reason }),
    statusUpdateTime: formatInstant(instantOrNull(row.status_updated_at)),
    connectionState: row.gateway_id === null ? 'Disconnected' : 'Connected',
    lastActivityTime: formatInstant(instantOrNull(row.last_activity_at)),
    cloudToDeviceMessageCount: 0,
    authenticationType: row.authentication_type,
    x509Thumbprint: {
      primaryThumbprint: row.primary_thumbprint,
      secondaryThumbprint: row.secondary_thumbprint,
    },
    modelId: row.model_id,
    version: Number(row.version),
    ...(Object.keys(row.tags).length === 0 ? {} : { tags: row.tags }),
    properties: {
      desired: { ...row.desired, $metadata: row.desired_metadata, $version: Number(row.desired_version) },
      reported: { ...row.reported, $metadata: row.reported_metadata, $version: Number(row.reported_version) },
    },
    ...(moduleId === null ? { capabilities: { iotEdge: row.is_edge } } : {}),
    ...(row.device_scope === null ? {} : { deviceScope: row.device_scope, parentScopes: row.parent_scopes }),
  }
}
