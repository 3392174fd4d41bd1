import { type SQL, sql } from 'drizzle-orm'
import type { Search } from '../postgres/query-time.ts'
import { answerMissing, windowOver } from '../queries/device-job-rows.ts'
import { hashOf } from './device-hash.ts'
import { type FrozenJob, ofJob } from './found-job.ts'
import type { SampledFailure } from './own-failures.ts'

/** How the devices of a job ended that were left over. One that was canceled has an error only if it may have been called. */
export type Rest = 'expired' | 'canceled'

/**
 * The errors of devices that were left over when the job ended, with a sample up to a hash. Such a device has no row of its own, or one
 * that waits: see `deviceJobRows`. Whoever may have been called has another code than who was not reached.
 */
export async function countRestErrors(
  search: Search,
  job: FrozenJob,
  { rest, bound }: { readonly rest: Rest; readonly bound: number },
): Promise<readonly SampledFailure[]> {
  const [found] = await search(sql`
    select true from chunks c where ${ofJob(job, 'c')} and c.rest = ${rest} limit 1`)
  if (found === undefined) return []
  const counted = await search<RestRow>(countRest(job, rest, bound))
  const silent = counted.flatMap(({ silent_chunks }) => silent_chunks)
  const drawn = silent.length === 0 || bound < 0 ? [] : await search<DrawnRow>(drawSilent(job, silent, bound))
  return (rest === 'expired' ? [called, missed] : [called]).flatMap(({ isCalled, ...reason }) => {
    const row = counted.find(({ is_called }) => is_called === isCalled)
    if (row === undefined || row.count === 0) return []
    const others = drawn.filter(({ is_called }) => is_called === isCalled).map(({ id }) => id)
    return [{ ...reason, count: row.count, sample: [...row.sample, ...others] }]
  })
}

const called = { isCalled: true, code: 'DeviceConnectionClosedRemotely', text: answerMissing } as const
const missed = { isCalled: false, code: 'JobRunPreconditionFailed', text: windowOver } as const

interface RestRow extends Record<string, unknown> {
  readonly is_called: boolean
  readonly count: number
  /** Devices with a row that waits. */
  readonly sample: readonly string[]
  /** The chunks with devices that are silent. */
  readonly silent_chunks: readonly number[]
}

/**
 * In one scan of the rows: those that wait, and how many devices of each chunk are silent, which means without a row. In a leased chunk
 * such a device is running. To group by what a row says takes half as long as to filter each aggregate by it.
 */
function countRest(job: FrozenJob, rest: Rest, bound: number): SQL {
  return sql`
    with told as materialized (
      select r.chunk_no, count(*) as count,
             case r.status when 'pending' then r.deliveries + r.unknown_deliveries > 0 or r.asked_since is not null end as is_called,
             array_agg(r.device_id) filter (where ${hashOf(sql`r.device_id`)} <= ${bound}::int) as ids
        from device_jobs r
       where ${ofJob(job, 'r')}
       group by r.chunk_no, is_called),
    left_over as materialized (
      select c.chunk_no, c.asked_since is not null as is_called,
             case c.status when 'leased' then 0 else c.device_count - coalesce(total.count, 0) end as silent
        from chunks c
        left join (select chunk_no, sum(count) as count from told group by 1) as total using (chunk_no)
       where ${ofJob(job, 'c')} and c.rest = ${rest}),
    waiting as materialized (
      select told.is_called, told.count, told.ids
        from told join left_over using (chunk_no)
       where told.is_called is not null),
    drawn as materialized (select is_called, unnest(ids) as id from waiting)
    select is_called, sum(count)::int as count,
           array(select id from drawn where drawn.is_called = counted.is_called order by ${hashOf(sql`id`)}, id) as sample,
           coalesce(array_agg(chunk_no) filter (where chunk_no is not null), '{}') as silent_chunks
      from (select is_called, count, null::int as chunk_no from waiting
             union all
            select is_called, silent, chunk_no from left_over where silent > 0) as counted
     group by 1`
}

interface DrawnRow extends Record<string, unknown> {
  readonly is_called: boolean
  readonly id: string
}

/** Only a device that is drawn is looked for among the rows. */
function drawSilent(job: FrozenJob, chunkNos: readonly number[], bound: number): SQL {
  return sql`
    select c.asked_since is not null as is_called, id
      from chunks c
     cross join lateral unnest(c.device_ids) as id
     where ${ofJob(job, 'c')}
       and c.chunk_no = any(${sql.param(chunkNos)}::int[])
       and ${hashOf(sql`id`)} <= ${bound}::int
       and (select true from device_jobs r where ${ofJob(job, 'r')} and r.device_id = id) is null
     order by ${hashOf(sql`id`)}, id`
}
