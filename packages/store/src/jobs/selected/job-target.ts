import type { JobKey, Target } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { json, texts } from '../../postgres/sql.ts'

/** Devices of a job that has ended, for another one that takes them up again. */
export interface RerunTarget {
  readonly kind: 'rerun'
  readonly parentKey: JobKey
  readonly parentJobId: string
  /** A statement that has the `device_id` of each. */
  readonly devices: SQL
}

/** What a new job has from its target. */
interface TargetColumns {
  /** Tables for the beginning of the statement, each with a comma behind it. */
  readonly tables: SQL
  readonly ids: SQL | null
  /** What reads of the job show. */
  readonly condition: SQL
  readonly parentKey: JobKey | null
  /** Of the event that tells of the new job. */
  readonly eventFields: SQL
}

/** `queryCondition`: what reads show. Those of a rerun show its devices; the text is empty if there are none. */
export function targetColumns(target: Target | RerunTarget, queryCondition: string): TargetColumns {
  if (target.kind === 'rerun') {
    return {
      tables: rerunTables(target),
      ids: sql`(select ids from target)`,
      condition: sql`(select shown from target)`,
      parentKey: target.parentKey,
      eventFields: json({ changes: { parentJobId: target.parentJobId } }),
    }
  }
  return {
    tables: sql``,
    ids: target.kind === 'devices' ? texts(target.deviceIds) : null,
    condition: sql`${queryCondition}`,
    parentKey: null,
    eventFields: json({}),
  }
}

/** So many ids are shown as the condition of the job, and the number of the others. */
const shownIds = 50

/** The ids stay in Postgres: there may be a million. */
function rerunTables({ devices }: RerunTarget): SQL {
  return sql`
    listed as materialized (
      select device_id, row_number() over (order by device_id) as no from (${devices}) as devices),
    target as materialized (
      select array_agg(device_id order by device_id) as ids,
             coalesce('deviceId IN ['
               || string_agg(${quotedId}, ',' order by device_id) filter (where no <= ${shownIds}::int)
               || case when count(*) > ${shownIds}::int then ', and ' || count(*) - ${shownIds}::int || ' more]' else ']' end,
               '') as shown
        from listed),`
}

/** As text of a condition. */
const quotedId = sql.raw(String.raw`'''' || replace(device_id, '''', '\''') || ''''`)
