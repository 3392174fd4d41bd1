import { randomUUID } from 'node:crypto'
import type { Hub } from '@muster/runtime'
import { insertWorker, moveClaims, removeWorker, renewWorker } from '@muster/store'
import type { Claim } from './claim.ts'

/** What a worker has claimed outlives it by this time at most. */
const leaseMs = 15_000
/** Several renewals fit into a lease, so one that fails or comes late does not lose it. */
const renewEveryMs = leaseMs / 4

/**
 * The lease of this process, under which it claims. It is one row, however many claims there are. A claim whose answer was lost would
 * belong to the lease and be known to nobody. So a lease is left as soon as that may be: the process takes a new one, moves to it what
 * it knows, and the old lease ends by itself.
 */
export interface Lease {
  /** Claims under the lease. When that fails, Postgres may have done it all the same. */
  claim<Claimed>(claimBy: (workerId: string) => Promise<Claimed>): Promise<Claimed>
  /** More may belong to the lease than the process knows, or the claim may not belong to it. */
  doubt(): void
  isOf(claim: Claim): boolean
  /** Ends it, and gives back at once what belongs to it. */
  stop(): Promise<void>
}

interface LeaseHub {
  readonly db: Hub['db']
  readonly clock: Pick<Hub['clock'], 'now'>
  readonly events: Pick<Hub['events'], 'leaseRenewalFailed'>
}

/** `known` are the claims that this process has under way. Without Postgres the lease begins later, and until then no claim succeeds. */
export async function takeLease({ db, clock, events }: LeaseHub, known: () => Iterable<Claim>): Promise<Lease> {
  const newLease = (leaseUntil: Date) => ({ workerId: randomUUID(), leaseUntil, isDoubted: false })
  // Nobody has written it: the first renewal finds that, and takes one.
  let lease = newLease(clock.now())
  let renewal: Promise<void> | null = null

  async function keep(): Promise<void> {
    const now = clock.now()
    const leaseUntil = new Date(now.getTime() + leaseMs)
    if (!lease.isDoubted && (await renewWorker(db, lease, leaseUntil))) lease.leaseUntil = leaseUntil
    else await takeAnother(newLease(leaseUntil), now)
  }

  async function takeAnother(next: typeof lease, now: Date): Promise<void> {
    await insertWorker(db, next, now)
    lease = next
    try {
      await moveClaims(db, next.workerId, byTable(known()))
    } catch (error) {
      next.isDoubted = true
      throw error
    }
  }

  /** A slow Postgres must not be asked twice at once. */
  function renew(): Promise<void> {
    renewal ??= keep()
      .catch((error: unknown) => events.leaseRenewalFailed({ error }))
      .finally(() => {
        renewal = null
      })
    return renewal
  }

  await renew()
  const renewing = setInterval(renew, renewEveryMs)

  return {
    async claim(claimBy) {
      const under = lease
      try {
        return await claimBy(under.workerId)
      } catch (error) {
        under.isDoubted = true
        throw error
      }
    },
    doubt() {
      lease.isDoubted = true
    },
    isOf: ({ workerId }) => workerId === lease.workerId,
    async stop() {
      clearInterval(renewing)
      await renewal
      await removeWorker(db, lease.workerId)
    },
  }
}

function byTable(claims: Iterable<Claim>): Parameters<typeof moveClaims>[2] {
  const all = [...claims]
  return {
    chunks: all.flatMap((claim) => (claim.kind === 'chunks' ? [claim.given] : [])),
    deviceJobs: all.flatMap((claim) => (claim.kind === 'due' ? [claim.given] : [])),
  }
}
