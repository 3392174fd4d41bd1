import type { Db } from '../postgres/sql.ts'
import { readPolicies, type StoredPolicy } from './policies.ts'

/** A policy that has changed counts in every process after this time. Without it every request would read them all. */
const keptMs = 5_000

/** Reads the policies at most once in 5 s. A read that fails is not kept; everyone who waits for it hears of it. */
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
