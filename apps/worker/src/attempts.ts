import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Next, Pause } from '@muster/bus'
import type { Hub } from '@muster/runtime'
import { dropLeases, type Lease, renewLeases } from '@muster/store'
import { type Claim, carryOut } from './carry-out.ts'
import { createRoom } from './places.ts'

/** A claim outlives its worker by at most this long. Renewed while its attempt is under way, however slow the devices are. */
const leaseMs = 15_000
/** Several renewals fit into a lease: one that fails or comes late does not lose it. */
const renewEveryMs = leaseMs / 4
/** How soon to look for room again: nobody knows when a device will answer. */
const noRoom: Pause = { laterMs: 250 }

/** The device calls that this worker has under way. A claim does not wait for its slowest device: it runs in the background. */
export interface Attempts {
  /**
   * Claims by the given function, for as many devices as there is room for, and starts an attempt on each. `done`: there was
   * nothing to claim. A pause: there is no room now, or the function wants one.
   */
  start(deviceCount: number, claim: (lease: Lease) => Promise<Claim | Pause | null>): Promise<Next>
  /** Waits for the answers that are still to come, until the deadline, and gives up the claims of the others. */
  stop(deadline: AbortSignal): Promise<void>
}

export function createAttempts(
  hub: Pick<Hub, 'db' | 'bus' | 'clock' | 'events'>,
  { callsInFlight }: { callsInFlight: number },
): Attempts {
  const { db, clock, events } = hub
  const room = createRoom(callsInFlight)
  const stopping = new AbortController()
  // Every call under way listens to it; Node would warn of a leak from the eleventh on.
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
      events.sweepFailed({ sweep: 'renewLeases', error })
    } finally {
      isRenewing = false
    }
  }

  return {
    async start(deviceCount, claimBy) {
      const places = stopping.signal.aborted ? null : room.tryReserve(deviceCount)
      if (places === null) return noRoom
      const lease = { leaseId: randomUUID(), leaseMs }
      const claim = await claimBy(lease).catch((error: unknown) => {
        places.keep(0)
        throw error
      })
      if (claim === null || 'laterMs' in claim) {
        places.keep(0)
        return claim ?? 'done'
      }
      places.keep(claim.deviceIds.length)

      const attempt = carryOut(hub, claim, { places, signal: stopping.signal })
        // What is not recorded is renewed no more, and found by a sweep when its lease has ended.
        .catch((error: unknown) => events.wakeUpFailed({ kind: 'due', jobKey: claim.job.key, error }))
        .finally(() => {
          places.keep(0)
          underWay.delete(lease.leaseId)
        })
      underWay.set(lease.leaseId, attempt)
      return 'more'
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
