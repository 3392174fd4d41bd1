import type { JobKey } from '@muster/contract'
import type { DispatchHub } from '../dispatch-job.ts'

/** Works on one job of a sweep. A failure is reported and gives null, so that the sweep goes on with the next jobs. */
export async function reported<Value>(
  { events }: DispatchHub,
  key: JobKey,
  work: () => Promise<Value>,
): Promise<Value | null> {
  try {
    return await work()
  } catch (error) {
    events.wakeUpFailed({ kind: 'job', jobKey: key, error })
    return null
  }
}
