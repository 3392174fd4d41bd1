import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, rows, texts } from '../postgres/sql.ts'

/** Extends the leases of claims that are under way. */
export async function renewLeases(
  db: Db,
  { leaseIds, leaseMs }: { leaseIds: readonly string[]; leaseMs: number },
  now: Date,
): Promise<void> {
  await setLeases(db, leaseIds, sql`greatest(lease_until, ${at(new Date(now.getTime() + leaseMs))})`)
}

/** Gives up the devices that these claims still hold. The next sweep gives them to others. */
export async function dropLeases(db: Db, leaseIds: readonly string[], now: Date): Promise<void> {
  await setLeases(db, leaseIds, at(now))
}

/** The two tables whose rows are claimed, each with the key of a row within its job, and the status of a leased row. */
const leased = [
  { table: 'chunks', row: 'chunk_no', status: 'leased' },
  { table: 'device_jobs', row: 'device_id', status: 'running' },
] as const

/** A locked row is being recorded now, and is skipped. Several renewals fit into a lease. */
async function setLeases(db: Db, leaseIds: readonly string[], until: SQL): Promise<void> {
  for (const { table, row, status } of leased) {
    const name = sql.raw(table)
    const rowName = sql.raw(row)
    await rows(
      db,
      sql`
      with held as (
        select week, job_key, ${rowName}
          from ${name}
         where status = ${status} and leased_by = any(${texts(leaseIds)})
           for update skip locked)
      update ${name} claimed
         set lease_until = ${until}
        from held
       where claimed.week = held.week and claimed.job_key = held.job_key and claimed.${rowName} = held.${rowName}
         and claimed.status = ${status}`,
    )
  }
}
