import { isTerminal } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'
import { statesOf } from '../rollout/windows.ts'
import { waitOf } from '../stages/read-stages.ts'
import { readStagedJob } from '../stages/stage-rows.ts'
import { jobsAhead, placesTaken } from '../start/places.ts'
import type { AskedJob } from './asked-job.ts'
import { type Reason, reason } from './reason.ts'

/** What holds a job as a whole, so that none of its devices is attempted. Null: nothing does. */
export async function holdOfJob(
  db: Db,
  job: AskedJob,
  { maxRunningJobs }: { readonly maxRunningJobs: number },
  now: Date,
): Promise<Reason | null> {
  if (isTerminal(job.status)) return endOf(job)
  if (job.pausedAt !== null) return pauseOf(job, job.pausedAt)
  if (job.status === 'running') return null
  if (job.startAt > now) return reason('startTime', 'The job starts later.', { until: job.startAt })
  if (job.notBefore !== null && job.notBefore > now) {
    return reason('startFailed', `The start has failed ${job.attempts} times, and is tried again.`, {
      until: job.notBefore,
    })
  }
  return placeOf(db, job, maxRunningJobs, now)
}

function endOf({ status, failureReason }: AskedJob): Reason {
  const because = failureReason === null ? '' : `: ${failureReason}`
  return reason('ended', `The job is ${status}${because}.`)
}

function pauseOf({ pausedBy, pauseReason, pauseEndsAt, stopNo }: AskedJob, pausedAt: Date): Reason {
  const by = pausedBy === null ? 'by the hub' : `by ${pausedBy}`
  const withStop = stopNo === null ? '' : `, with the stop ${stopNo}`
  const because = pauseReason === null ? '' : `: ${pauseReason}`
  const end = pauseEndsAt === null ? '' : '. The pause then ends with a cancel'
  return reason('paused', `The job is paused since ${pausedAt.toISOString()}, ${by}${withStop}${because}${end}.`, {
    until: pauseEndsAt,
  })
}

async function placeOf(db: Db, { key }: AskedJob, maxRunningJobs: number, now: Date): Promise<Reason> {
  const [counted] = await rows<{ taken: number; ahead: number }>(
    db,
    sql`select ${placesTaken(now)} as taken, ${jobsAhead(key, now)} as ahead`,
  )
  const { taken = 0, ahead = 0 } = counted ?? {}
  const isFull = taken + ahead >= maxRunningJobs
  return reason(
    isFull ? 'place' : 'startTime',
    isFull
      ? `${taken} of ${maxRunningJobs} places are taken by running jobs, and ${ahead} jobs come before this one.`
      : 'The job starts within seconds.',
  )
}

/** What holds some devices of a running job, whatever they are. */
export async function holdsOfRunning(db: Db, job: AskedJob, now: Date): Promise<readonly Reason[]> {
  return [...(await gateOf(db, job, now)), ...windowsOf(job, now), ...rateOf(job, now)]
}

/** The open stage waits for something, and others come after it. */
async function gateOf(db: Db, { key }: AskedJob, now: Date): Promise<readonly Reason[]> {
  const staged = await readStagedJob(db, sql`job_key = ${key}`, sql`true`)
  const waits = staged === null ? null : waitOf(staged, now)
  if (staged === null || waits === null) return []
  const later = staged.stages.filter(({ stageNo }) => stageNo > staged.openStage)
  return [
    reason(
      'stage',
      `Stage ${staged.openStage} is the last open one, and its gate waits for ${words[waits.kind]}: ${waits.text}.`,
      {
        until: waits.kind === 'soak' ? waits.until : null,
        deviceCount: later.reduce((sum, { deviceCount, canceled }) => sum + deviceCount - canceled, 0),
      },
    ),
  ]
}

const words = {
  devices: 'devices',
  failed: 'somebody to open the next stage, because too few have succeeded',
  soak: 'the end of its soak',
  approval: 'somebody to open the next stage',
  free: 'nothing; the next one opens within seconds',
} as const

function windowsOf(job: AskedJob, now: Date): readonly Reason[] {
  if (job.week === null) return []
  const closed = statesOf({ ...job, week: job.week }, now).filter(({ isOpen }) => !isOpen)
  return closed.map(({ zone, until }) =>
    reason('window', `Every window is closed for devices of the zone ${zone}.`, { until }),
  )
}

function rateOf({ rate, rateFreeAt }: AskedJob, now: Date): readonly Reason[] {
  if (rate === null || rateFreeAt === null || rateFreeAt <= now) return []
  return [
    reason('rate', `The rate is ${rate} devices a minute, and the last ones have used it up.`, { until: rateFreeAt }),
  ]
}
