import { limits } from '@muster/contract'
import type postgres from 'postgres'
import { loadTwins } from './hub.ts'

/**
 * The fleet that queries are asked about. Of `deviceCount` devices 1 % have tags.x = 'y', 10 % are connected, 0.1 % both; 5 %
 * report a battery below 5, none below 0; each of 100 buildings has 1 %.
 */
export async function loadFleet(database: postgres.Sql, deviceCount: number): Promise<void> {
  const every = Math.floor(deviceCount / shortIds.length)
  await loadTwins(database, deviceCount, {
    deviceId: `case when n % ${every} = 0 and n / ${every} <= ${shortIds.length}
      then ('{${shortIds.join()}}'::text[])[n / ${every}] else 'device-' || lpad(n::text, 7, '0') end`,
    columns: {
      tags: `jsonb_build_object('building', n / 7 % 100, 'floor', n / 100 % 20, 'x', case when n % 100 = 0 then 'y' else 'z' end,
        'customer', 'customer-' || n % 1000, 'location', '{"region": "eu-west", "city": "Rotterdam"}'::jsonb)`,
      desired: `'{"interval": 30, "mode": "eco", "limits": {"low": 10, "high": 80}}'::jsonb`,
      desired_metadata: `'{${stamp}, "interval": {${stamp}}, "mode": {${stamp}},
        "limits": {${stamp}, "low": {${stamp}}, "high": {${stamp}}}}'::jsonb`,
      reported: `jsonb_build_object('firmware', '1.' || n % 7, 'battery', n / 10 % 100, 'radio', '{"kind": "lte", "rssi": -71}'::jsonb)`,
      reported_metadata: `'{${stamp}, "firmware": {${stamp}}, "battery": {${stamp}},
        "radio": {${stamp}, "kind": {${stamp}}, "rssi": {${stamp}}}}'::jsonb`,
    },
  })
  await connectTenth(database)
}

const stamp = '"$lastUpdated": "2026-01-01T00:00:00.000Z"'

/** Every fifth device has been connected, every tenth still is, to a gateway that nobody takes for dead during the run. */
async function connectTenth(database: postgres.Sql): Promise<void> {
  await database`insert into gateways values ('bench', now(), now() + interval '1 day')`
  await database`
    insert into sessions (device_id, gateway_id, connection_no, state_updated_at, last_activity_at)
    select device_id, case when (tags -> 'floor')::int < 2 then 'bench' end, 1, now(), now()
      from twins
     where (tags -> 'floor')::int < 4`
  await database`vacuum analyze sessions`
}

/** What a query over the fleet must find, counted without the query language. */
export async function countFleet(database: postgres.Sql): Promise<FleetCounts> {
  const [counts] = await database<FleetCounts[]>`
    select count(*)::int as "all",
           count(*) filter (where tags ->> 'x' = 'y')::int as tagged,
           count(*) filter (where tags ->> 'x' = 'y' and gateway_id is not null)::int as "taggedAndConnected",
           count(*) filter (where (reported -> 'battery')::int < 5)::int as "lowBattery",
           pg_size_pretty(pg_total_relation_size('twins')) as size
      from twins left join sessions using (device_id)`
  if (counts === undefined) throw new TypeError('an aggregate without GROUP BY has a row')
  return counts
}

export interface FleetCounts {
  readonly all: number
  readonly tagged: number
  readonly taggedAndConnected: number
  readonly lowBattery: number
  /** Of the twins on disk, with their indexes. */
  readonly size: string
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** As many ids as the text of a query can hold: two characters, two quotes and a comma each. They are spread over the fleet. */
export const shortIds: readonly string[] = Array.from(
  { length: Math.floor((limits.queryLength - 'SELECT * FROM devices WHERE deviceId IN []'.length) / 5) },
  (_, n) => `${alphabet[Math.floor(n / 62)]}${alphabet[n % 62]}`,
)

/** The id of the device with this number, unless it is one of those with a short one. */
export function longId(n: number): string {
  return `device-${String(n).padStart(7, '0')}`
}
