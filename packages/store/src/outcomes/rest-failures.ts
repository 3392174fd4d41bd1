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
  const rows = await search<RestRow>(selectRest(job, rest, bound))
  return (rest === 'expired' ? [called, missed] : [called]).flatMap(({ isCalled, ...reason }) =>
    rows
      .filter(({ is_called, count }) => is_called === isCalled && count > 0)
      .map(({ count, sample }) => ({ ...reason, count, sample })),
  )
}

const called = { isCalled: true, code: 'DeviceConnectionClosedRemotely', text: answerMissing } as const
const missed = { isCalled: false, code: 'JobRunPreconditionFailed', text: windowOver } as const

interface RestRow extends Record<string, unknown> {
  readonly is_called: boolean
  readonly count: number
  readonly sample: readonly string[]
}

/**
 * In one scan of the rows: those that wait, and how many devices of each chunk are silent, which means without a row. In a leased chunk
 * such a device is running. Ids are unpacked only where a device is silent, and only a drawn one is looked for among the rows.
 */
function selectRest(job: FrozenJob, rest: Rest, bound: number): SQL {
  const isDrawn = (id: SQL) => sql`${hashOf(id)} <= ${bound}::int`
  return sql`
    with told as materialized (
      select r.chunk_no, count(*) as count,
             count(*) filter (where r.status = 'pending') as waiting,
             count(*) filter (where r.status = 'pending' and ${isMaybeCalled}) as called,
             array_agg(r.device_id) filter (where r.status = 'pending' and ${isMaybeCalled} and ${isDrawn(sql`r.device_id`)}) as called_ids,
             array_agg(r.device_id) filter (where r.status = 'pending' and not ${isMaybeCalled} and ${isDrawn(sql`r.device_id`)}) as missed_ids
        from device_jobs r
       where ${ofJob(job, 'r')}
       group by 1),
    left_over as materialized (
      select c.chunk_no, c.asked_since is not null as was_asked,
             coalesce(told.waiting, 0) as waiting, coalesce(told.called, 0) as called, called_ids, missed_ids,
             case c.status when 'leased' then 0 else c.device_count - coalesce(told.count, 0) end as silent
        from chunks c
        left join told using (chunk_no)
       where ${ofJob(job, 'c')} and c.rest = ${rest}),
    drawn as materialized (
      select true as is_called, unnest(called_ids) as id from left_over
       union all
      select false, unnest(missed_ids) from left_over
       union all
      select left_over.was_asked, id
        from left_over
        join chunks c on c.chunk_no = left_over.chunk_no and ${ofJob(job, 'c')}
       cross join lateral unnest(c.device_ids) as id
       where left_over.silent > 0 and ${isDrawn(sql`id`)}
         and (select true from device_jobs r where ${ofJob(job, 'r')} and r.device_id = id) is null)
    select is_called, sum(count)::int as count,
           array(select id from drawn where drawn.is_called = counted.is_called order by ${hashOf(sql`id`)}, id) as sample
      from (select true as is_called, called + case when was_asked then silent else 0 end as count from left_over
             union all
            select false, waiting - called + case when was_asked then 0 else silent end from left_over) as counted
     group by 1`
}

const isMaybeCalled = sql.raw('(r.deliveries + r.unknown_deliveries > 0 or r.asked_since is not null)')
