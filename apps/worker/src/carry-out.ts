import type { CallResult, WorkWakeUp } from '@muster/bus'
import type { GatewayId } from '@muster/contract'
import { type DeviceOperation, type Outcome, operationOf } from '@muster/operations'
import { finishJob, type Hub } from '@muster/runtime'
import {
  type DeviceOutcome,
  findRoutes,
  isWorthRepeating,
  markDueWhereReachable,
  type Recorded,
  type RunningJob,
} from '@muster/store'
import { backoffMs } from './backoff.ts'
import type { Places } from './places.ts'

/** Devices that this worker has claimed, for one attempt on each. */
export interface Claim {
  /** The wake-up that led to it. */
  readonly kind: WorkWakeUp['kind']
  readonly job: RunningJob
  readonly deviceIds: readonly string[]
  /** The number of the attempt, 1 for the first. */
  attemptOf(deviceId: string): number
  /** Writes outcomes, guarded by the claim. May be called often, with different devices each time. */
  record(outcomes: readonly DeviceOutcome[]): Promise<Recorded>
}

type Tools = Pick<Hub, 'db' | 'bus' | 'clock' | 'events'>

/** Calls the devices of a claim and records the outcomes. Ends early when the signal aborts, with the rest unrecorded. */
export async function carryOut(
  hub: Tools,
  claim: Claim,
  { places, signal }: { places: Places; signal: AbortSignal },
): Promise<void> {
  const operation = operationOf(claim.job.type)
  if (operation.kind !== 'device') throw new TypeError(`${claim.job.type} calls no devices`)

  const recordAndRelease = async (decided: readonly Decided[]) => {
    await recordOutcomes(hub, claim, decided)
    places.release(decided.length)
  }
  const { byGateway, outcomes } = await route(hub, claim)
  await recordAndRelease(outcomes)
  const call = operation.call(claim.job.body)
  const calls = [...byGateway].map(async ([gatewayId, deviceIds]) => {
    for await (const results of hub.bus.callDevices({ ...call, gatewayId, identities: deviceIds }, signal)) {
      await recordAndRelease(decideAll(operation, results))
    }
  })
  // Waits for all, also when one fails: the claim is under way as long as any call is.
  const failed = (await Promise.allSettled(calls)).find((ended) => ended.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

interface Decided {
  readonly deviceId: string
  readonly outcome: Outcome
}

/** Which gateway holds which device, and the outcomes of devices that no gateway holds. */
async function route({ db }: Tools, { deviceIds }: Claim) {
  const routes = new Map((await findRoutes(db, deviceIds)).map((found) => [String(found.identity), found]))
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
  return results.map((result) => ({ deviceId: result.identity, outcome: operation.decide(result) }))
}

/** Records outcomes and sees to what follows from them. */
async function recordOutcomes(hub: Tools, claim: Claim, decided: readonly Decided[]): Promise<void> {
  if (decided.length === 0) return
  const { db, bus, clock, events } = hub
  const { job } = claim
  const now = clock.now()
  const { count, isChunkClosed } = await persistently(() =>
    claim.record(decided.map((one) => toRecord(claim, one, now))),
  )
  report(hub, job, decided, count)
  if (isChunkClosed) await finishJob(hub, job.key)

  const waiting = decided.filter(({ outcome }) => outcome.kind === 'waiting').map(({ deviceId }) => deviceId)
  if (waiting.length === 0) return
  const reachable = await markDueWhereReachable(db, job, waiting, clock.now())
  if (reachable > 0 && !(await bus.wakeDue(job.key))) events.wakeUpLost({ kind: 'due' })
}

const repeatAfterMs = [100, 500, 2_000]

/** A device has answered. If a moment without Postgres lost the answer, the device would be called a second time. */
async function persistently<Value>(work: () => Promise<Value>): Promise<Value> {
  for (const pauseMs of repeatAfterMs) {
    try {
      return await work()
    } catch (error) {
      if (!isWorthRepeating(error)) throw error
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
  return work()
}

function toRecord(claim: Claim, { deviceId, outcome }: Decided, now: Date): DeviceOutcome {
  switch (outcome.kind) {
    case 'succeeded':
      return { deviceId, status: 'completed', response: outcome.response }
    case 'failed':
      return { deviceId, status: 'failed', error: outcome.error }
    case 'waiting':
      return { deviceId, status: 'pending', dueAt: null }
    case 'retry': {
      const delayMs = backoffMs(claim.attemptOf(deviceId), Math.random())
      return { deviceId, status: 'pending', dueAt: new Date(now.getTime() + delayMs) }
    }
  }
}

function report({ events }: Tools, { key, type }: RunningJob, decided: readonly Decided[], count: number): void {
  if (count < decided.length) {
    // Nobody knows which of them were written. The next owner of the claim reports them.
    events.claimLost({ jobKey: key, type })
    return
  }
  const countOf = (kind: Outcome['kind']) => decided.filter(({ outcome }) => outcome.kind === kind).length
  events.chunkRecorded({
    jobKey: key,
    type,
    succeeded: countOf('succeeded'),
    failed: countOf('failed'),
    retried: countOf('retry'),
    waiting: countOf('waiting'),
  })
}
