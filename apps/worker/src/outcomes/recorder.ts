import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { trackingIdOf } from '@muster/contract'
import { mostTries } from '@muster/store'
import type { Claim } from '../claim.ts'
import { eachAtOnce } from '../each-at-once.ts'
import { backoffMs } from './backoff.ts'
import { inGroups } from './in-groups.ts'
import { isPassing } from './persistently.ts'
import { type Decided, type Part, recordOutcomes, type Tools } from './record-outcomes.ts'
import { createSilentJobs } from './silent-jobs.ts'

/** Records the outcomes of all claims of this worker. */
export interface Recorder {
  /** Resolves when they are recorded, or somebody else has the claim. Rejects when Postgres is away as the worker stops. */
  record(claim: Claim, decided: readonly Decided[]): Promise<void>
}

/**
 * Outcomes of all claims that come within a moment are one statement for first attempts and one for later ones. If a group cannot be
 * written for another reason than a Postgres that is away or slow, each claim in it is written by itself, then by halves: what can be
 * written is.
 * `signal` aborts when the worker stops; `pause` is for tests, which do not wait for minutes.
 */
export function createRecorder(
  hub: Tools,
  {
    signal,
    pause = (ms) => sleep(ms, undefined, { signal }),
  }: { signal: AbortSignal; pause?: (ms: number) => Promise<void> },
): Recorder {
  const { metrics } = hub
  const silentJobs = createSilentJobs()
  metrics.whenScraped(() => ({ muster_worker_jobs_without_answers: silentJobs.count() }))

  const write = async (parts: readonly Part[]) => {
    await recordOutcomes(hub, parts, signal)
    metrics.muster_group_commit_size.observe({ write: 'outcomes' }, sizeOf(parts))
    for (const { claim, decided } of parts) if (decided.some(isSilent)) silentJobs.note(claim.job.key)
  }
  const gather = () => inGroups(bytesOf, (parts: readonly Part[]) => write(byClaim(parts)))
  const groups = { chunks: gather(), due: gather() }

  async function writeByHalves(claim: Claim, decided: readonly Decided[]): Promise<void> {
    await write([{ claim, decided }]).catch(async (error: unknown) => {
      if (isPassing(error)) throw error
      const [one, ...others] = decided
      if (one === undefined) return
      if (others.length === 0) return insist(claim, one)
      const middle = Math.ceil(decided.length / 2)
      const halves = [decided.slice(0, middle), decided.slice(middle)]
      await eachAtOnce(halves, (half) => writeByHalves(claim, half))
    })
  }

  /** The device may have been called, so it is not asked again. The tries take about two minutes. */
  async function insist(claim: Claim, one: Decided): Promise<void> {
    let reason: unknown
    for (let tries = 1; tries < mostTries; tries += 1) {
      await pause(backoffMs(tries, Math.random()))
      try {
        return await write([{ claim, decided: [one] }])
      } catch (error) {
        if (isPassing(error)) throw error
        reason = error
      }
    }
    await write([{ claim, decided: [unwritten(claim, one, reason)] }])
  }

  function unwritten({ job, span }: Claim, one: Decided, error: unknown): Decided {
    const { deviceId } = one.attempt
    const trackingId = trackingIdOf(randomUUID(), hub.clock.now())
    hub.events.deviceJobFailed({ jobKey: job.key, deviceId, trackingId, traceId: span.traceId, error })
    const description = `The hub could not write the outcome on this device. Its log has the reason, under the tracking id ${trackingId}.`
    return { ...one, kept: null, outcome: { kind: 'failed', error: { code: 'ServerError', description } } }
  }

  return {
    async record(claim, decided) {
      if (decided.length === 0) return
      await groups[claim.kind]({ claim, decided }).catch((error: unknown) => {
        if (isPassing(error)) throw error
        return writeByHalves(claim, decided)
      })
    },
  }
}

/** About what the statement has for each device, beside its answer. */
const bytesPerDevice = 500

function bytesOf({ decided }: Part): number {
  return decided.reduce(
    (sum, { outcome }) => sum + bytesPerDevice + (outcome.kind === 'succeeded' ? outcome.response.length : 0),
    0,
  )
}

/** Several answers may have come for one claim. */
function byClaim(parts: readonly Part[]): Part[] {
  const all = new Map<Claim, readonly Decided[]>()
  for (const { claim, decided } of parts) all.set(claim, [...(all.get(claim) ?? []), ...decided])
  return [...all].map(([claim, decided]) => ({ claim, decided }))
}

function sizeOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { decided }) => sum + decided.length, 0)
}

/** The device did not answer within the response timeout. */
function isSilent({ outcome, kept }: Decided): boolean {
  return (outcome.kind === 'failed' && outcome.error.code === 'GatewayTimeout') || kept?.code === 'GatewayTimeout'
}
