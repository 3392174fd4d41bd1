import { setMaxListeners } from 'node:events'
import type { JobKey } from '@muster/contract'
import type { Hub } from '@muster/runtime'
import { isNotNow, type NotNow } from '@muster/store'
import { carryOut } from './carry-out.ts'
import type { Claim } from './claim.ts'
import { takeLease } from './lease.ts'
import { createRecorder } from './outcomes/recorder.ts'
import { createRoom, type Places } from './places.ts'

/** The device calls that this worker has under way. A claim does not wait for its slowest device: it runs in the background. */
export interface Attempts {
  /** Places for the calls of a job on so many devices. Null: there is no room for it now, or the worker stops. */
  reserve(key: JobKey, deviceCount: number): Places | null
  /** Claims under the lease of this worker, and carries out the claim in the background, in places of its own. Null: there was nothing. */
  start(claimBy: (workerId: string) => Promise<Claim | NotNow | null>, places: Places): Promise<Claim | NotNow | null>
  /** Places that are taken now. */
  inFlight(): number
  /** Waits for answers until the deadline. Then gives up the claims that have none. */
  stop(deadline: AbortSignal): Promise<void>
}

export async function createAttempts(
  hub: Pick<Hub, 'db' | 'bus' | 'clock' | 'events' | 'metrics' | 'tracing'>,
  { callsInFlight }: { callsInFlight: number },
): Promise<Attempts> {
  const { events } = hub
  const room = createRoom(callsInFlight)
  const stopping = new AbortController()
  // Every call under way listens to it. Node would warn of a leak from the eleventh listener on.
  setMaxListeners(0, stopping.signal)
  const recorder = createRecorder(hub, { signal: stopping.signal })
  const underWay = new Map<Claim, Promise<void>>()
  const lease = await takeLease(hub, () => underWay.keys())

  function begin(claim: Claim, places: Places): void {
    // The lease was left while the claim was made.
    if (!lease.isOf(claim)) lease.doubt()
    const { span } = claim
    const attempt = carryOut(hub, claim, { recorder, places, signal: stopping.signal })
      .then(
        () => span.end(),
        (error: unknown) => {
          // What is not recorded goes back with the lease.
          lease.doubt()
          events.wakeUpFailed({ kind: claim.kind, jobKey: claim.job.key, traceId: span.traceId, error })
          span.end('NotRecorded')
        },
      )
      .finally(() => {
        places[Symbol.dispose]()
        underWay.delete(claim)
      })
    underWay.set(claim, attempt)
  }

  return {
    inFlight: () => room.taken(),

    reserve: (key, deviceCount) => (stopping.signal.aborted ? null : room.tryReserve(key, deviceCount)),

    async start(claimBy, places) {
      const claim = await lease.claim(claimBy)
      if (claim !== null && !isNotNow(claim)) begin(claim, places.handOver(claim.deviceCount))
      return claim
    },

    async stop(deadline) {
      const abort = () => stopping.abort()
      if (deadline.aborted) abort()
      else deadline.addEventListener('abort', abort, { once: true })
      await Promise.allSettled(underWay.values())
      await lease.stop()
    },
  }
}
