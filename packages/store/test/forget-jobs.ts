import { sql } from 'drizzle-orm'
import type { Db } from '../src/index.ts'
import { rows } from '../src/postgres/sql.ts'

/** Takes all jobs away, and counts their keys from 1 again. Not by `truncate`, which the events of jobs refuse. */
export async function forgetJobs(db: Db): Promise<void> {
  await rows(db, sql`delete from jobs`)
  await rows(db, sql`truncate chunks, device_jobs`)
  await rows(db, sql`alter table jobs alter column job_key restart`)
}
