import { setTimeout as sleep } from 'node:timers/promises'
import { isTerminal, jobStatuses } from '@muster/contract'
import type { HubClient } from '@muster/simulator'
import { type JobReply, type JobRequest, readJob, scheduleJob } from './api-calls.ts'
import type { Progress } from './progress.ts'

const pollMs = 150
/** Added to the window of the job, because a call in flight at its end may still use up its response timeout. */
const patienceMs = 30_000

/** Schedules a job for now and follows its statistics to the end. Throws when it does not end in time. */
export async function followJob(
  client: HubClient,
  job: JobRequest,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<JobReply> {
  const { jobId } = job
  await scheduleJob(client, job)
  const giveUpAtMs = performance.now() + job.maxExecutionTimeInSeconds * 1000 + patienceMs
  try {
    while (performance.now() < giveUpAtMs) {
      const reply = await readJob(client, jobId)
      progress.show(reply)
      if (hasEnded(reply)) return reply
      await sleep(pollMs, undefined, { signal })
    }
  } finally {
    progress.end()
  }
  throw new Error(`the job ${jobId} has not ended ${patienceMs / 1000} s after its window`)
}

function hasEnded({ status }: JobReply): boolean {
  const known = jobStatuses.find((candidate) => candidate === status)
  return known !== undefined && isTerminal(known)
}
