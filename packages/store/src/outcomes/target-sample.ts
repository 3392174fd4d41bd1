import { sql } from 'drizzle-orm'
import type { Search } from '../postgres/query-time.ts'
import { hashBound, hashOf } from './device-hash.ts'
import { type FrozenJob, ofJob } from './found-job.ts'

/** They come from so many chunks at most, spread over the target set: to unpack the ids of a chunk takes 0.1 ms. */
const sampledChunks = 400

/** Ids of about so many devices of the target set; of a smaller one, all. */
export async function sampleTarget(search: Search, job: FrozenJob, wanted: number): Promise<readonly string[]> {
  const { deviceCount } = job.statistics
  const [counted] = await search<{ count: number }>(sql`
    select count(*)::int from chunks c where ${ofJob(job, 'c')}`)
  const every = deviceCount <= wanted ? 1 : Math.ceil((counted?.count ?? 0) / sampledChunks)
  const rows = await search<{ id: string }>(sql`
    select id
      from chunks c
     cross join lateral unnest(c.device_ids) as id
     where ${ofJob(job, 'c')}
       and c.chunk_no % ${every}::int = 0
       and ${hashOf(sql`id`)} <= ${hashBound(wanted * every, deviceCount)}::int
     limit ${2 * wanted}`)
  return rows.map((row) => row.id)
}
