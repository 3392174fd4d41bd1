import type { CallResult } from '@muster/bus'
import type { GatewayId, JobKey } from '@muster/contract'
import { type DeviceOperation, type Outcome, operationOf } from '@muster/operations'
import type { Hub } from '@muster/runtime'
import { type DeviceOutcome, findRoutes, markDueWhereReachable, type Recorded, type RunningJob } from '@muster/store'
import { backoffMs } from './backoff.ts'
import { createRoom, type Places } from './places.ts'
import { settleJob } from './settle-job.ts'

/** One attempt on each of these devices, claimed by this worker. */
export interface Attempt {
  readonly job: RunningJob
  readonly deviceIds: readonly string[]
  readonly places: Places
  /** The number of the attempt, 1 for the first. */
  attemptOf(deviceId: string): number
  /** Writes outcomes, guarded by the claim. May be called often, with different devices each time. */
  record(outcomes: readonly DeviceOutcome[]): Promise<Recorded>
}

/** The device calls that this worker has under way. A claim does not wait for its slowest device: it runs in the background. */
export function createAttempts(
  hub: Pick<Hub, 'db' | 'bus' | 'clock' | 'events'>,
  { callsInFlight }: { callsInFlight: number },
) {
  const room = createRoom(callsInFlight)
  const stopping = new AbortController()
  const underWay = new Set<Promise<void>>()

  return {
    /** Waits until so many more calls may be in flight. */
    reserve: (count: number) => room.reserve(count),

    start(attempt: Attempt): void {
      const run = runAttempt(hub, attempt, stopping.signal)
        // Whatever is not recorded is found again when the lease ends.
        .catch((error: unknown) => hub.events.wakeUpFailed({ kind: 'chunks', jobKey: attempt.job.key, error }))
        .finally(() => {
          attempt.places.release()
          underWay.delete(run)
        })
      underWay.add(run)
    },

    /** Waits for the answers that are still to come, until the deadline. */
    async drain(deadline: AbortSignal): Promise<void> {
      const abort = () => stopping.abort()
      deadline.addEventListener('abort', abort, { once: true })
      if (deadline.aborted) abort()
      await Promise.allSettled(underWay)
      deadline.removeEventListener('abort', abort)
    },
  }
}

type Tools = Pick<Hub, 'db' | 'bus' | 'clock' | 'events'>

async function runAttempt(hub: Tools, attempt: Attempt, signal: AbortSignal): Promise<void> {
  const operation = operationOf(attempt.job.type)
  if (operation.kind !== 'device') throw new TypeError(`${attempt.job.type} calls no devices`)

  const { byGateway, outcomes } = await route(hub, attempt)
  await settle(hub, attempt, outcomes)
  const call = operation.call(attempt.job.body)
  await Promise.all(
    [...byGateway].map(async ([gatewayId, deviceIds]) => {
      for await (const results of hub.bus.callDevices({ ...call, gatewayId, deviceIds }, signal)) {
        await settle(hub, attempt, decideAll(operation, results))
      }
    }),
  )
}

interface Decided {
  readonly deviceId: string
  readonly outcome: Outcome
}

/** Which gateway holds which device, and the outcome of those that none holds. */
async function route({ db }: Tools, { deviceIds }: Attempt) {
  const routes = new Map((await findRoutes(db, deviceIds)).map((found) => [String(found.deviceId), found]))
  const byGateway = new Map<GatewayId, string[]>()
  const outcomes: Decided[] = []
  for (const deviceId of deviceIds) {
    const found = routes.get(deviceId)
    const gatewayId = found?.status === 'enabled' ? found.gatewayId : null
    if (found === undefined) outcomes.push({ deviceId, outcome: unknownDevice(deviceId) })
    else if (gatewayId === null) outcomes.push({ deviceId, outcome: { kind: 'waiting' } })
    else byGateway.set(gatewayId, [...(byGateway.get(gatewayId) ?? []), deviceId])
  }
  return { byGateway, outcomes }
}

function unknownDevice(deviceId: string): Outcome {
  return { kind: 'failed', error: { code: 'DeviceNotFound', description: `the device ${deviceId} is not registered` } }
}

function decideAll(operation: DeviceOperation, results: readonly CallResult[]): Decided[] {
  return results.map((result) => ({ deviceId: result.deviceId, outcome: operation.decide(result) }))
}

/** Records outcomes, frees their places, and sees to what follows from them. */
async function settle(hub: Tools, attempt: Attempt, decided: readonly Decided[]): Promise<void> {
  if (decided.length === 0) return
  const { db, bus, clock, events } = hub
  const { job } = attempt
  const now = clock.now()
  const { count, isChunkClosed } = await attempt.record(decided.map((one) => toRecord(attempt, one, now)))
  attempt.places.release(decided.length)
  report(hub, job.key, job.type, decided, count)
  if (isChunkClosed) await settleJob(hub, job.key)

  const waiting = decided.filter(({ outcome }) => outcome.kind === 'waiting').map(({ deviceId }) => deviceId)
  if (waiting.length === 0) return
  const reachable = await markDueWhereReachable(db, job, waiting, clock.now())
  if (reachable > 0 && !(await bus.wakeDue(job.key))) events.wakeUpLost({ kind: 'due' })
}

function toRecord(attempt: Attempt, { deviceId, outcome }: Decided, now: Date): DeviceOutcome {
  switch (outcome.kind) {
    case 'succeeded':
      return { deviceId, status: 'completed', response: outcome.response }
    case 'failed':
      return { deviceId, status: 'failed', error: outcome.error }
    case 'waiting':
      return { deviceId, status: 'pending', dueAt: null }
    case 'retry': {
      const delayMs = backoffMs(attempt.attemptOf(deviceId), Math.random())
      return { deviceId, status: 'pending', dueAt: new Date(now.getTime() + delayMs) }
    }
  }
}

function report(
  { events }: Tools,
  jobKey: JobKey,
  type: RunningJob['type'],
  decided: readonly Decided[],
  count: number,
): void {
  if (count < decided.length) events.claimLost({ jobKey, type })
  const countOf = (kind: Outcome['kind']) => decided.filter(({ outcome }) => outcome.kind === kind).length
  events.chunkRecorded({
    jobKey,
    type,
    succeeded: countOf('succeeded'),
    failed: countOf('failed'),
    retried: countOf('retry'),
    waiting: countOf('waiting'),
  })
}
