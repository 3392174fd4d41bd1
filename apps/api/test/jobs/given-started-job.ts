import { type JobKey, jobKey } from '@muster/contract'
import { type JobStart, startJob } from '@muster/store'
import type { Api } from '../api.ts'

/** A method job over a condition, created over the API and started as a dispatcher would: its target set is frozen. */
export async function givenStartedJob(
  api: Api,
  jobId: string,
  queryCondition: string,
): Promise<{ readonly key: JobKey; readonly started: JobStart }> {
  const { status, body } = await api.send('PUT', `/jobs/v2/${jobId}`, {
    type: 'scheduleDeviceMethod',
    cloudToDeviceMethod: { methodName: 'ring' },
    queryCondition,
  })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return startGivenJob(api, jobId)
}

/** Starts a job as a dispatcher would. */
export async function startGivenJob(
  api: Api,
  jobId: string,
): Promise<{ readonly key: JobKey; readonly started: JobStart }> {
  const { rows } = await api.db.execute<{ key: string }>(
    `select job_key::text as key from jobs where job_id = '${jobId}'`,
  )
  const key = jobKey(rows[0]?.key ?? '')
  const started = await startJob(api.db, key, { maxRunningJobs: 1000, chunkSize: () => 3 }, api.clock.now())
  return { key, started }
}
