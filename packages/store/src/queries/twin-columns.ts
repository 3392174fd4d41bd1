import type { Column, Columns } from '@muster/query'
import { deviceEtag, deviceScope, twinEtag } from '../twins/document.ts'

const iotEdge = 'capabilities.iotEdge'

const twinColumns: Columns = new Map<string, Column>([
  ['deviceId', { kind: 'text', sql: 't.device_id' }],
  ['etag', { kind: 'text', sql: twinEtag }],
  ['modelId', { kind: 'text', sql: 't.model_id' }],
  ['version', { kind: 'number', sql: 't.version' }],
  ['cloudToDeviceMessageCount', { kind: 'number', sql: '0' }],
  ['tags', { kind: 'json', sql: 't.tags', undefinedWhenEmpty: true }],
  ['properties.desired', { kind: 'json', sql: 't.desired' }],
  ['properties.desired.$version', { kind: 'number', sql: 't.desired_version' }],
  ['properties.desired.$metadata', { kind: 'json', sql: 't.desired_metadata' }],
  ['properties.reported', { kind: 'json', sql: 't.reported' }],
  ['properties.reported.$version', { kind: 'number', sql: 't.reported_version' }],
  ['properties.reported.$metadata', { kind: 'json', sql: 't.reported_metadata' }],
])

/** The columns that need the table d. */
export const identityColumns: Columns = new Map<string, Column>([
  ['deviceEtag', { kind: 'text', sql: deviceEtag }],
  ['status', { kind: 'text', sql: 'd.status' }],
  ['statusReason', { kind: 'text', sql: 'd.status_reason', undefinedWhenNull: true }],
  ['statusUpdateTime', { kind: 'instant', sql: orNever('d.status_updated_at') }],
  ['deviceScope', { kind: 'text', sql: deviceScope, undefinedWhenNull: true }],
  ['authenticationType', { kind: 'text', sql: 'd.authentication_type' }],
  ['x509Thumbprint.primaryThumbprint', { kind: 'text', sql: 'd.primary_thumbprint' }],
  ['x509Thumbprint.secondaryThumbprint', { kind: 'text', sql: 'd.secondary_thumbprint' }],
  [iotEdge, { kind: 'json', sql: 'to_jsonb(d.is_edge)' }],
])

/** The columns that need the table s, which has no row for an identity that never connected. */
export const sessionColumns: Columns = new Map<string, Column>([
  [
    'connectionState',
    {
      kind: 'text',
      sql: `case when s.gateway_id is null then 'Disconnected' else 'Connected' end`,
      equals: new Map([
        ['Connected', 's.gateway_id is not null'],
        ['Disconnected', 's.gateway_id is null'],
      ]),
    },
  ],
  ['lastActivityTime', { kind: 'instant', sql: orNever('s.last_activity_at') }],
])

/** The members of the twin of a device that a query may name. Tables: t twins, d devices, s sessions. */
export const deviceColumns: Columns = new Map([...twinColumns, ...identityColumns, ...sessionColumns])

/** The same for a module, whose twin has no capabilities. */
export const moduleColumns: Columns = new Map<string, Column>([
  ...[...deviceColumns].filter(([member]) => member !== iotEdge),
  ['deviceId', { kind: 'text', sql: `split_part(t.device_id, '/', 1)` }],
  ['moduleId', { kind: 'text', sql: 't.module_id' }],
])

function orNever(column: string): string {
  return `coalesce(${column}, timestamptz '0001-01-01T00:00:00Z')`
}
