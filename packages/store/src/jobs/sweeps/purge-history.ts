import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { purgeStops } from '../rollout/stops.ts'
import { dropUnusedPartitions } from '../start/partitions.ts'

/**
 * Purges history: deletes job rows that ended before `endedBefore`, then drops the partitions of weeks that no job needs any
 * more, and the stops of which no job is left. Returns how many jobs were deleted; at most `limit` at a time.
 */
export async function purgeHistory(
  db: Db,
  { endedBefore, limit }: { endedBefore: Date; limit: number },
): Promise<number> {
  const deleted = await rows(
    db,
    sql`
    delete from jobs
     where job_key in (
       select job_key from jobs
        where ended_at < ${at(endedBefore)}
        order by ended_at
        limit ${limit}
        for update skip locked)
    returning job_key`,
  )
  await dropUnusedPartitions(db, endedBefore)
  await purgeStops(db, endedBefore)
  return deleted.length
}
