import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'
import { rampedRate, succeededDevices } from '../rollout/ramp.ts'

/**
 * Raises the rates that rise with the devices that have succeeded. Returns how many jobs have another one. A recorded outcome does not,
 * because it would lock the row of its job. Passes over a job that a claim holds just then.
 */
export async function raiseRates(db: Db, { limit }: { readonly limit: number }): Promise<number> {
  const raised = await rows(
    db,
    sql`
    with found as materialized (
      select job_key, ${rampedRate(succeededDevices)} as rate
        from jobs
       where status = 'running' and ramp_on = 'succeeded' and rate < ramp_max
       order by random()
       limit ${limit}),
    free as materialized (
      select job_key, found.rate
        from jobs
        join found using (job_key)
       where jobs.status = 'running' and jobs.ramp_on = 'succeeded' and jobs.rate < found.rate
         for no key update of jobs skip locked)
    update jobs
       set rate = free.rate
      from free
     where jobs.job_key = free.job_key and jobs.status = 'running' and jobs.rate < free.rate
    returning jobs.job_key`,
  )
  return raised.length
}
