import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'
import type { FailuresByCode } from './find-stop.ts'
import type { StagedJob } from './stage-rows.ts'

/** In one scan of the rows of the job. */
export async function countFailures(db: Db, { key, week }: StagedJob): Promise<FailuresByCode> {
  const counted = await rows<{ stage_no: number; code: string; count: number }>(
    db,
    sql`
    select c.stage_no, told.code, sum(told.count)::int as count
      from (select chunk_no, error_code as code, count(*) as count
              from device_jobs
             where week = ${week} and job_key = ${key} and status = 'failed'
             group by 1, 2) as told
      join chunks c on c.week = ${week} and c.job_key = ${key} and c.chunk_no = told.chunk_no
     group by 1, 2`,
  )
  const failures = new Map<number, Map<string, number>>()
  for (const { stage_no, code, count } of counted) {
    const ofStage = failures.get(stage_no) ?? new Map<string, number>()
    failures.set(stage_no, ofStage.set(code, count))
  }
  return failures
}
