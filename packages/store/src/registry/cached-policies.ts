import type { Db } from '../postgres/sql.ts'
import { readPolicies, type StoredPolicy } from './policies.ts'

/** A changed policy is in force in every process after this time. Without the cache every request would read all policies. */
const keptMs = 5_000

/** Reads the policies at most once in 5 s. A failed read is not kept. All callers that wait for it get the error. */
export function cachePolicies({
  db,
  clock,
}: {
  readonly db: Db
  readonly clock: { now(): Date }
}): () => Promise<readonly StoredPolicy[]> {
  let kept: { readonly policies: Promise<readonly StoredPolicy[]>; readonly readAtMs: number } | undefined

  return () => {
    const nowMs = clock.now().getTime()
    if (kept !== undefined && nowMs - kept.readAtMs < keptMs) return kept.policies

    const reading = { policies: readPolicies(db), readAtMs: nowMs }
    kept = reading
    reading.policies.catch(() => {
      if (kept === reading) kept = undefined
    })
    return reading.policies
  }
}
