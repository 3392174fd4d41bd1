import type { Json, JsonObject } from '@muster/contract'
import type { Column, Columns } from '@muster/query'
import fc from 'fast-check'

/** A twin as a table holds it. Its values come from few, so that conditions meet them, and from the borders of each type. */
export interface TwinRow {
  readonly device_id: string
  readonly status: string
  readonly status_reason: string | null
  readonly thumbprint: string | null
  readonly is_connected: boolean
  readonly messages: number | null
  readonly activity: string | null
  readonly update_time: string | null
  readonly tags: JsonObject
  readonly desired: JsonObject
  readonly desired_version: number
  readonly reported: Json
}

export const recordType = `(device_id text, status text, status_reason text, thumbprint text, is_connected boolean, messages bigint,
  activity timestamptz, update_time timestamptz, tags jsonb, desired jsonb, desired_version bigint, reported jsonb)`

export const columns: Columns = new Map<string, Column>([
  ['deviceId', { kind: 'text', sql: 'twin.device_id' }],
  ['status', { kind: 'text', sql: 'twin.status' }],
  ['statusReason', { kind: 'text', sql: 'twin.status_reason', undefinedWhenNull: true }],
  ['x509Thumbprint.primaryThumbprint', { kind: 'text', sql: 'twin.thumbprint' }],
  [
    'connectionState',
    {
      kind: 'text',
      sql: `case when twin.is_connected then 'Connected' else 'Disconnected' end`,
      equals: new Map([
        ['Connected', 'twin.is_connected'],
        ['Disconnected', 'not twin.is_connected'],
      ]),
    },
  ],
  ['cloudToDeviceMessageCount', { kind: 'number', sql: 'twin.messages' }],
  ['lastActivityTime', { kind: 'instant', sql: "coalesce(twin.activity, timestamptz '0001-01-01Z')" }],
  ['statusUpdateTime', { kind: 'instant', sql: 'twin.update_time' }],
  ['tags', { kind: 'json', sql: 'twin.tags', undefinedWhenEmpty: true }],
  ['properties.desired', { kind: 'json', sql: 'twin.desired' }],
  ['properties.desired.$version', { kind: 'number', sql: 'twin.desired_version' }],
  ['properties.reported', { kind: 'json', sql: 'twin.reported' }],
])

/** The twin as the wire shows it. */
export function documentOf(row: TwinRow): JsonObject {
  return {
    deviceId: row.device_id,
    status: row.status,
    ...(row.status_reason === null ? {} : { statusReason: row.status_reason }),
    x509Thumbprint: { primaryThumbprint: row.thumbprint },
    connectionState: row.is_connected ? 'Connected' : 'Disconnected',
    cloudToDeviceMessageCount: row.messages,
    lastActivityTime: row.activity ?? '0001-01-01T00:00:00Z',
    statusUpdateTime: row.update_time,
    ...(Object.keys(row.tags).length === 0 ? {} : { tags: row.tags }),
    properties: { desired: { ...row.desired, $version: row.desired_version }, reported: row.reported },
  }
}

const keys = ['a', 'b', 'c', '0', 'line-no', "o'k", 'grö"ße', '😀', 'a.b', '__proto__', 'select'] as const

const texts = [
  '',
  'a',
  'ab',
  'A',
  'b',
  'é',
  'true',
  '1',
  '10',
  "o'k",
  'say "x"',
  'back\\slash',
  '%_',
  '$1',
  'line\nfeed',
  '😀',
  '\ufffd',
  '\ue000x',
  '2026-03-01',
  '2026-03-01T09:30:00Z',
  '2026-03-01T11:30:00+02:00',
  '2026-03-01T09:30',
  '2026-03-01T09:30:00.5004999Z',
  '2026-02-29',
  '2024-02-29T23:59:59.999-14:00',
  '0001-01-01T00:00:00Z',
  '0000-01-01',
  '2026-03-01 09:30:00Z',
] as const

const numbers = [
  0,
  1,
  2,
  3,
  10,
  -1,
  -7,
  0.1,
  0.2,
  0.3,
  1.5,
  60,
  1e23,
  2 ** 53,
  1e150,
  1e151,
  -1e200,
  1e-150,
  1e-151,
  5e-324,
  1.7e308,
] as const

/** Mostly one of a handful, so that conditions tell twins apart; else from the borders. */
export const scalar: fc.Arbitrary<string | number | boolean | null> = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom('a', 'ab', 0, 1, 2, true, false) },
  { weight: 5, arbitrary: fc.constantFrom(...texts) },
  { weight: 5, arbitrary: fc.constantFrom(...numbers) },
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => !text.includes('\0')) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
)

export const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b') },
  { weight: 1, arbitrary: fc.constantFrom(...keys) },
)

const { object, json } = fc.letrec<{ json: Json; object: JsonObject }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3 },
    { weight: 8, arbitrary: scalar },
    { weight: 3, arbitrary: tie('object') },
    { weight: 1, arbitrary: fc.array(tie('json'), { maxLength: 3 }) },
  ),
  object: fc
    .array(fc.tuple(key, tie('json')), { maxLength: 10, size: 'max' })
    .map((members) => Object.fromEntries(members)),
}))

const instant = fc.constantFrom(
  '2026-03-01T09:30:00.000Z',
  '2026-03-01T09:30:00.500Z',
  '2024-03-01T13:59:59.999Z',
  null,
)

export const twins: fc.Arbitrary<readonly TwinRow[]> = fc
  .array(
    fc.record({
      status: fc.constantFrom('enabled', 'disabled'),
      status_reason: fc.option(fc.constantFrom('a', 'ab', ...texts), { freq: 2 }),
      thumbprint: fc.option(fc.constantFrom('a', 'ab', ...texts), { freq: 2 }),
      is_connected: fc.boolean(),
      messages: fc.option(fc.integer({ min: 0, max: 3 }), { freq: 2 }),
      activity: instant,
      update_time: instant,
      tags: object,
      desired: object,
      desired_version: fc.integer({ min: 1, max: 3 }),
      reported: fc.oneof(
        { weight: 5, arbitrary: object },
        { weight: 1, arbitrary: json.filter((value) => value !== null) },
      ),
    }),
    { minLength: 8, maxLength: 20, size: 'max' },
  )
  .map((rows) => rows.map((row, index) => ({ device_id: `${texts[index + 1]}`, ...row })))
