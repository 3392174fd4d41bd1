import type { Job } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows } from '../../../src/postgres/sql.ts'

/** Sets columns of a job that no function of the store sets yet. */
export async function setJob(db: Db, { key }: Pick<Job, 'key'>, columns: SQL): Promise<void> {
  await rows(db, sql`update jobs set ${columns} where job_key = ${key} returning job_key`)
}

/** The same of some of its chunks. */
export async function setChunks(
  db: Db,
  { key }: Pick<Job, 'key'>,
  chunkNos: readonly number[],
  columns: SQL,
): Promise<void> {
  const nos = sql.join(
    chunkNos.map((no) => sql`${no}::int`),
    sql`, `,
  )
  await rows(db, sql`update chunks set ${columns} where job_key = ${key} and chunk_no in (${nos}) returning chunk_no`)
}
