import { isTerminal, type Job, type JobKey, type JobStatus } from '@muster/contract'
import { briefly } from '../../postgres/briefly.ts'
import type { Db } from '../../postgres/sql.ts'
import { readJob } from '../jobs.ts'

/** What came of a change of a job in its course. */
export type Steered =
  /** `isChanged`: not, when the job was so already. */
  | { readonly kind: 'steered'; readonly job: Job; readonly isChanged: boolean }
  | { readonly kind: 'terminal'; readonly status: JobStatus }
  | { readonly kind: 'missing' }

/** Changes a job that has not ended, in one transaction. `change` returns false when it changes nothing. */
export async function steerJob(
  db: Db,
  jobId: string,
  change: (tx: Db, key: JobKey) => Promise<boolean>,
): Promise<Steered> {
  return briefly(db, async (tx) => {
    const found = await readJob(tx, jobId)
    if (found === null) return { kind: 'missing' }
    const isChanged = await change(tx, found.key)
    const job = (await readJob(tx, jobId)) ?? found
    return !isChanged && isTerminal(job.status)
      ? { kind: 'terminal', status: job.status }
      : { kind: 'steered', job, isChanged }
  })
}
