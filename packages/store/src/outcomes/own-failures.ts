import { type SQL, sql } from 'drizzle-orm'
import type { Search } from '../postgres/query-time.ts'
import { texts } from '../postgres/sql.ts'
import { hashBound, hashOf } from './device-hash.ts'
import { type FrozenJob, ofJob } from './found-job.ts'

/** Devices of a job that failed for the same reason. */
export interface FailureCount {
  readonly code: string
  /** Without what is of one device alone: `{deviceId}` and `{trackingId}` stand for it. */
  readonly text: string
  readonly count: number
}

/** Some of the devices with it: those with the smallest hashes first. */
export interface SampledFailure extends FailureCount {
  readonly sample: readonly string[]
}

/** Errors that have rows of their own, by code alone. Of those that were ended by themselves: see `deviceJobRows`. */
export async function countOwnCodes(search: Search, job: FrozenJob): Promise<readonly Omit<FailureCount, 'text'>[]> {
  return search<{ code: string; count: number }>(sql`
    select coalesce(error_code, 'DeviceConnectionClosedRemotely') as code, count(*)::int as count
      from device_jobs r
     where ${ofJob(job, 'r')}
       and (r.status = 'failed'
            or (r.status in ('canceled', 'skipped')
                and (r.deliveries + r.unknown_deliveries > 0 or r.asked_since is not null)))
     group by 1`)
}

/**
 * Failures that have rows of their own, by code and text: how many groups there are, and the largest of them with a sample up to a hash.
 * One scan counts the texts as they are. There are few, and only they are made common, because that takes as long as the scan itself.
 */
export async function countOwnFailures(
  search: Search,
  job: FrozenJob,
  { limit, bound }: { readonly limit: number; readonly bound: number },
): Promise<{ readonly groupCount: number; readonly largest: readonly SampledFailure[] }> {
  const found = await search<SampledFailure & { readonly groups: number } & Record<string, unknown>>(sql`
    with told as materialized (
      select r.error_code, r.error_text, count(*) as count,
             array_agg(r.device_id) filter (where ${hashOf(sql`r.device_id`)} <= ${bound}::int) as ids
        from device_jobs r
       where ${ofJob(job, 'r')} and r.status = 'failed'
       group by 1, 2),
    named as materialized (
      select r.error_code as code, ${commonText} as text, count, ids from told as r),
    counted as (
      select code, text, sum(count)::int as count, count(*) over ()::int as groups
        from named
       group by 1, 2
       order by 3 desc, 1, 2
       limit ${limit}),
    sampled as (
      select code, text, array_agg(id order by ${hashOf(sql`id`)}, id) as sample
        from named cross join lateral unnest(ids) as id
       group by 1, 2)
    select code, text, count, groups, coalesce(sample, '{}') as sample
      from counted left join sampled using (code, text)
     order by count desc, code, text`)
  const largest = found.map(({ code, text, count, sample }) => ({ code, text, count, sample }))
  return { groupCount: found[0]?.groups ?? 0, largest }
}

/** About `wanted` devices of each of some such failures; of a smaller one, all. Those with the smallest hashes come first. */
export async function sampleOwnFailures(
  search: Search,
  job: FrozenJob,
  failures: readonly FailureCount[],
  wanted: number,
): Promise<readonly SampledFailure[]> {
  const bounds = failures.map(({ count }) => hashBound(wanted, count))
  const rows = await search<{ no: number; sample: readonly string[] }>(sql`
    select wanted.no::int, array_agg(r.device_id order by ${hashOf(sql`r.device_id`)}, r.device_id) as sample
      from device_jobs r
      join unnest(${texts(failures.map(({ code }) => code))}, ${texts(failures.map(({ text }) => text))},
                  ${sql.param(bounds)}::int[]) with ordinality as wanted (code, text, bound, no)
        on wanted.code = r.error_code and wanted.text = ${commonText}
     where ${ofJob(job, 'r')} and r.status = 'failed'
       and ${hashOf(sql`r.device_id`)} <= wanted.bound
     group by 1`)
  return failures.map((failure, index) => ({
    ...failure,
    sample: rows.find(({ no }) => no === index + 1)?.sample ?? [],
  }))
}

/** Two texts name what differs from device to device: its id, or a line of the log. */
const commonText: SQL = sql.raw(String.raw`
                   case r.error_code
                     when 'DeviceNotFound' then regexp_replace(r.error_text, '^the device \S+ ', 'the device {deviceId} ')
                     when 'ServerError' then regexp_replace(r.error_text, 'tracking id \S+$', 'tracking id {trackingId}.')
                     else coalesce(r.error_text, '')
                   end`)
