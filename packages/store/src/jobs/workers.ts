import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'

/** Chunks and device jobs belong to a worker as long as its lease lasts, however many it has claimed. */
export interface WorkerLease {
  /** New for each lease: two processes never share one for long. */
  readonly workerId: string
  readonly leaseUntil: Date
}

/** From now on the worker may claim. */
export async function insertWorker(db: Db, { workerId, leaseUntil }: WorkerLease, now: Date): Promise<void> {
  await rows(
    db,
    sql`
    insert into workers (worker_id, started_at, lease_until)
    values (${workerId}, ${at(now)}, ${at(leaseUntil)})
    returning worker_id`,
  )
}

/**
 * Extends a lease that is as this process has left it. False: it has ended and a sweep has removed it, or somebody else has extended it,
 * under the same id or in a statement whose answer was lost.
 */
export async function renewWorker(db: Db, { workerId, leaseUntil }: WorkerLease, until: Date): Promise<boolean> {
  const renewed = await rows(
    db,
    sql`
    update workers set lease_until = ${at(until)}
     where worker_id = ${workerId}
       and lease_until = ${at(leaseUntil)}
    returning worker_id`,
  )
  return renewed.length === 1
}

/** A clean stop. The next sweep gives what belongs to the worker to others. */
export async function removeWorker(db: Db, workerId: string): Promise<void> {
  await rows(db, sql`delete from workers where worker_id = ${workerId} returning worker_id`)
}

/** Whether a worker may claim: under a lease that has ended, others would take the claim at once. */
export function isAlive(workerId: string, now: Date): SQL {
  return sql`exists (select from workers where worker_id = ${workerId} and lease_until > ${at(now)})`
}

/**
 * The workers that are gone and hold rows of a table, as the common table `gone` of a `with recursive`. It jumps from one holder to the
 * next along the index of leased rows, because there are few workers.
 */
export function goneHolders(table: 'chunks' | 'device_jobs', now: Date): SQL {
  const name = sql.raw(table)
  const isLeased = sql.raw(table === 'chunks' ? `status = 'leased'` : `status = 'running'`)
  return sql`
    holder (worker_id) as (
      select min(leased_by) from ${name} where ${isLeased}
       union all
      select (select min(leased_by) from ${name} where ${isLeased} and leased_by > holder.worker_id)
        from holder
       where holder.worker_id is not null),
    gone as (
      select worker_id from holder where worker_id is not null
      except
      select worker_id from workers where lease_until > ${at(now)})`
}

/** Removes the rows of workers that are gone, once nothing belongs to them any more. */
export function removedWorkers(now: Date): SQL {
  return sql`removed as (
      delete from workers w
       where lease_until <= ${at(now)}
         and not exists (select from chunks where status = 'leased' and leased_by = w.worker_id)
         and not exists (select from device_jobs where status = 'running' and leased_by = w.worker_id))`
}
