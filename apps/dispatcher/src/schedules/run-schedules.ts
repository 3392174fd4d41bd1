import { callIdOf } from '@muster/bus'
import { reportEnd } from '@muster/runtime'
import { findDueSchedules, runSchedule, type ScheduleStep } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'

type ScheduleHub = Pick<DispatchHub, 'db' | 'bus' | 'clock' | 'events'>

/** Makes the jobs of the schedules that are due. Counts them. A schedule that fails holds up no other, and is tried again. */
export async function runSchedules(hub: ScheduleHub, bound: { readonly limit: number }): Promise<number> {
  const { db, clock, events } = hub
  let made = 0
  for (const scheduleId of await findDueSchedules(db, bound, clock.now())) {
    try {
      const step = await runSchedule(db, scheduleId, clock.now())
      if (step === null) continue
      report(hub, scheduleId, step)
      if (await wake(hub, step)) made += 1
    } catch (error) {
      events.scheduleFailed({ scheduleId, error })
    }
  }
  return made
}

function report({ events }: ScheduleHub, scheduleId: string, step: ScheduleStep): void {
  const { job, cancelled, skipped, queued, missedCount, lastMissed } = step
  if (lastMissed !== null) events.scheduleMissed({ scheduleId, count: missedCount, lastTime: lastMissed })
  if (job !== null) events.scheduleRun({ scheduleId, outcome: 'started', time: job.startTime, jobId: job.jobId })
  if (skipped !== null) events.scheduleRun({ scheduleId, outcome: 'skipped', time: skipped, jobId: null })
  if (queued !== null) events.scheduleRun({ scheduleId, outcome: 'queued', time: queued, jobId: null })
  if (cancelled !== null) reportEnd(events, cancelled)
}

/** Without a wake-up a sweep starts the job. False: no job was made. */
async function wake({ bus, events }: ScheduleHub, { job, cancelled }: ScheduleStep): Promise<boolean> {
  // Not waited for: no call is delivered later than 3 s after its claim, whether the gateways hear of it or not.
  if (cancelled !== null) void bus.dropCall(callIdOf(cancelled.key))
  if (job === null) return false
  if (!(await bus.wakeAt(job.key, job.startTime))) events.wakeUpLost({ kind: 'job' })
  return true
}
