import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Hub } from '@muster/runtime'
import { dropLeases, type Lease, renewLeases } from '@muster/store'
import { carryOut } from './carry-out.ts'
import type { Claim } from './claim.ts'
import { createRoom, type Places } from './places.ts'

/** A claim outlives its worker by this time at most. It is renewed while its attempt is under way, however slow the devices are. */
const leaseMs = 15_000
/** Several renewals fit into a lease, so one that fails or comes late does not lose it. */
const renewEveryMs = leaseMs / 4

/** The device calls that this worker has under way. A claim does not wait for its slowest device: it runs in the background. */
export interface Attempts {
  /** Places for the calls of so many devices. Null: there is no room now, or the worker stops. */
  reserve(deviceCount: number): Places | null
  /** Carries out a claim in the background, in its own places, and renews its lease until it ends. */
  begin(claim: Claim, lease: Lease, places: Places): void
  /** Waits for answers until the deadline. Then gives up the claims that have none. */
  stop(deadline: AbortSignal): Promise<void>
}

export function newLease(): Lease {
  return { leaseId: randomUUID(), leaseMs }
}

export function createAttempts(
  hub: Pick<Hub, 'db' | 'bus' | 'clock' | 'events'>,
  { callsInFlight }: { callsInFlight: number },
): Attempts {
  const { db, clock, events } = hub
  const room = createRoom(callsInFlight)
  const stopping = new AbortController()
  // Every call under way listens to it. Node would warn of a leak from the eleventh listener on.
  setMaxListeners(0, stopping.signal)
  const underWay = new Map<string, Promise<void>>()
  const renewal = setInterval(renew, renewEveryMs)
  let isRenewing = false

  async function renew(): Promise<void> {
    // A slow Postgres must not be asked twice at once.
    if (isRenewing || underWay.size === 0) return
    isRenewing = true
    try {
      await renewLeases(db, { leaseIds: [...underWay.keys()], leaseMs }, clock.now())
    } catch (error) {
      events.leaseRenewalFailed({ error })
    } finally {
      isRenewing = false
    }
  }

  return {
    reserve: (deviceCount) => (stopping.signal.aborted ? null : room.tryReserve(deviceCount)),

    begin(claim, { leaseId }, places) {
      const attempt = carryOut(hub, claim, { places, signal: stopping.signal })
        // A sweep finds an outcome that is not recorded, because its lease is not renewed any more.
        .catch((error: unknown) => events.wakeUpFailed({ kind: claim.kind, jobKey: claim.job.key, error }))
        .finally(() => {
          places[Symbol.dispose]()
          underWay.delete(leaseId)
        })
      underWay.set(leaseId, attempt)
    },

    async stop(deadline) {
      const abort = () => stopping.abort()
      if (deadline.aborted) abort()
      else deadline.addEventListener('abort', abort, { once: true })
      const leaseIds = [...underWay.keys()]
      await Promise.allSettled(underWay.values())
      clearInterval(renewal)
      if (stopping.signal.aborted && leaseIds.length > 0) await dropLeases(db, leaseIds, clock.now())
    },
  }
}
