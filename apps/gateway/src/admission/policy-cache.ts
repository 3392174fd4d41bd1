import type { Hub } from '@muster/runtime'
import { readPolicies, type StoredPolicy } from '@muster/store'

/** What a policy has lost is noticed this much later. Without it, a fleet that reconnects reads them once per device. */
const keptMs = 5_000

export function cachePolicies({ db, clock }: Pick<Hub, 'db' | 'clock'>): () => Promise<readonly StoredPolicy[]> {
  let kept: { readonly policies: Promise<readonly StoredPolicy[]>; readonly readAtMs: number } | undefined

  return () => {
    const nowMs = clock.now().getTime()
    if (kept !== undefined && nowMs - kept.readAtMs < keptMs) return kept.policies

    const reading = { policies: readPolicies(db), readAtMs: nowMs }
    kept = reading
    // A read that failed is not kept; whoever waits for it hears of it.
    reading.policies.catch(() => {
      if (kept === reading) kept = undefined
    })
    return reading.policies
  }
}
