import type { JobKey } from '@muster/contract'
import type { DispatchHub } from './dispatch-job.ts'

/** Works on one of many jobs. A failure is reported and gives null, so that the next jobs have their turn. */
export async function reported<Value>(
  { events }: DispatchHub,
  key: JobKey,
  work: () => Promise<Value>,
): Promise<Value | null> {
  try {
    return await work()
  } catch (error) {
    events.wakeUpFailed({ kind: 'job', jobKey: key, traceId: undefined, error })
    return null
  }
}
