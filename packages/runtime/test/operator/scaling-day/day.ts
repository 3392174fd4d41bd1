import { workersNeeded } from '../../../src/operator/workers-needed.ts'
import { createAutoscaler, keda } from './autoscaler.ts'

/** A job of the day: when it starts, and for how many devices. */
interface DayJob {
  readonly at: string
  readonly type: 'scheduleDeviceMethod' | 'scheduleUpdateTwin'
  readonly devices: number
  /** Devices a minute. */
  readonly rate?: number
}

/** One second of the day. */
export interface Moment {
  readonly second: number
  /** The answer of the hub, in workers. Null: Postgres is away. */
  readonly load: number | null
  readonly leased: number
  readonly replicas: number
}

export const capacity = { callsInFlight: 5_000, workerConcurrency: 8, throttles: {} } as const

const daySeconds = 24 * 3600
/** From the decision of the autoscaler to the first claim of a new worker. */
const startSeconds = 20
/** Nine of ten devices answer in five seconds; the others do so never, and are given up after thirty. */
const answers = [
  { part: 0.9, seconds: 5 },
  { part: 0.1, seconds: 30 },
] as const
/** What one worker claims in a second, and what Postgres patches for all together. */
const speed = { claimsOfWorker: 4_000, twins: 66_000 } as const
/** As far as the load counts: two thousand chunks of a job. */
const counted = { scheduleDeviceMethod: 200_000, scheduleUpdateTwin: 2_000_000 } as const
const horizonSeconds = 10

const hours = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const clock = (hour: number, minute = 0) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`

/** A quiet night, a burst at each hour of the day that is highest at noon, and some large jobs. */
export const dayJobs: readonly DayJob[] = [
  ...hours(0, 23).map((hour) => ({ at: clock(hour, 30), type: 'scheduleDeviceMethod', devices: 500 }) as const),
  ...hours(6, 21).map(
    (hour) =>
      ({ at: clock(hour), type: 'scheduleDeviceMethod', devices: 60_000 - 6_000 * Math.abs(hour - 12) }) as const,
  ),
  { at: '02:10', type: 'scheduleUpdateTwin', devices: 1_000_000 },
  { at: '10:20', type: 'scheduleDeviceMethod', devices: 20_000, rate: 600 },
  { at: '14:20', type: 'scheduleDeviceMethod', devices: 1_000_000 },
]

/** In the middle of a burst Postgres tells nothing for five minutes, and nothing is done. */
export const outage = { from: secondOf('19:00') + 20, to: secondOf('19:05') + 20 } as const

export function secondOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  return (hour * 60 + minute) * 60
}

/** Replays the day: the jobs, workers that do what they can, the formula of the hub, and the autoscaler every 15 s. */
export function replayDay(): readonly Moment[] {
  const jobs = dayJobs.map((job) => ({ ...job, start: secondOf(job.at), left: job.devices }))
  const ended = new Array<number>(daySeconds + 60).fill(0)
  const scale = createAutoscaler()
  const moments: Moment[] = []
  let leased = 0
  let replicas: number = keda.minReplicas

  for (let second = 0; second < daySeconds; second += 1) {
    const open = jobs.filter((job) => job.start <= second && job.left > 0)
    const isAway = second >= outage.from && second < outage.to
    leased -= ended[second] ?? 0
    // Those that were there before the time of a start, and are there now.
    const workers = Math.min(replicas, moments[second - startSeconds]?.replicas ?? keda.minReplicas)
    if (!isAway) leased += work(open, { workers, leased, second, ended })

    const load = isAway ? null : workersNeeded({ ready: readyOf(open), leased }, capacity)
    if (second % keda.pollingSeconds === 0) replicas = scale(load, second)
    moments.push({ second, load, leased, replicas })
  }
  return moments
}

/** One second of all workers. Returns the calls that they have begun. */
function work(
  open: readonly { type: DayJob['type']; rate?: number; left: number }[],
  { workers, leased, second, ended }: { workers: number; leased: number; second: number; ended: number[] },
): number {
  let twins = Math.min(speed.twins, workers * speed.twins)
  let room = Math.min(Math.max(0, workers * capacity.callsInFlight - leased), workers * speed.claimsOfWorker)
  let begun = 0
  for (const job of open) {
    const isTwin = job.type === 'scheduleUpdateTwin'
    const done = Math.min(job.left, isTwin ? twins : room, (job.rate ?? Number.POSITIVE_INFINITY) / 60)
    job.left -= done
    if (isTwin) twins -= done
    else {
      room -= done
      begun += done
      for (const { part, seconds } of answers) ended[second + seconds] = (ended[second + seconds] ?? 0) + done * part
    }
  }
  return begun
}

/** What the statement counts. */
function readyOf(open: readonly { type: DayJob['type']; rate?: number; left: number }[]): Record<string, number> {
  const ready: Record<string, number> = {}
  for (const { type, left, rate = Number.POSITIVE_INFINITY } of open) {
    ready[type] = (ready[type] ?? 0) + Math.min(left, counted[type], (rate * horizonSeconds) / 60)
  }
  return ready
}
