import type { CallOutcome } from '../sessions/pending-call.ts'

/** A call that was written to the connection of a device. */
interface DeliveredCall {
  /** Which delivery it is: 1 is the first one of the call. */
  readonly delivery: number
  /** The hub's time. */
  readonly deliveredAtMs: number
  /** Null while the device has time to answer. */
  readonly outcome: CallOutcome | null
  /** Calls back with the outcome, at once if there is one. */
  follow(report: (outcome: CallOutcome) => void): void
}

export interface CallMemory {
  find(identity: string, callId: string): DeliveredCall | undefined
  /** Remembers a delivery. The returned function tells its outcome, once. */
  add(identity: string, callId: string, delivery: number): (outcome: CallOutcome) => void
  /** The hub's time since when every delivery is remembered, in ms. Of an earlier one nobody can say that it has not been. */
  sinceMs(): number
}

/** So many calls and so many bytes of answers are remembered; beyond them the oldest ones are forgotten. */
export interface MemoryLimits {
  readonly calls: number
  readonly answerBytes: number
}

const memoryLimits: MemoryLimits = { calls: 200_000, answerBytes: 64 * 1024 * 1024 }

interface Entry {
  readonly delivery: number
  readonly deliveredAtMs: number
  outcome: CallOutcome | null
  bytes: number
  readonly followers: ((outcome: CallOutcome) => void)[]
}

/**
 * The calls that this gateway has delivered. Whoever asks a second time for a delivery gets the outcome of the first one: a worker that
 * took over the claim of a dead one, or a caller that has not heard the answer. Calls that wait for their answer are never forgotten.
 */
export function createCallMemory(nowMs: () => number, limits: MemoryLimits = memoryLimits): CallMemory {
  // In the order of their delivery.
  const entries = new Map<string, Entry>()
  let rememberedSinceMs = nowMs()
  let answerBytes = 0

  const forget = (key: string, entry: Entry) => {
    entries.delete(key)
    answerBytes -= entry.bytes
    rememberedSinceMs = Math.max(rememberedSinceMs, entry.deliveredAtMs + 1)
  }
  const forgetOldest = () => {
    for (const [key, entry] of entries) {
      if (entries.size <= limits.calls && answerBytes <= limits.answerBytes) return
      if (entry.outcome !== null) forget(key, entry)
    }
  }

  return {
    find(identity, callId) {
      const entry = entries.get(keyOf(identity, callId))
      return (
        entry && {
          ...entry,
          follow(report) {
            if (entry.outcome === null) entry.followers.push(report)
            else report(entry.outcome)
          },
        }
      )
    },
    add(identity, callId, delivery) {
      const key = keyOf(identity, callId)
      const before = entries.get(key)
      if (before !== undefined) {
        entries.delete(key)
        answerBytes -= before.bytes
      }
      const entry: Entry = { delivery, deliveredAtMs: nowMs(), outcome: null, bytes: 0, followers: [] }
      entries.set(key, entry)
      return (outcome) => {
        entry.outcome = outcome
        for (const report of entry.followers.splice(0)) report(outcome)
        if (entries.get(key) !== entry) return
        entry.bytes = outcome.kind === 'answered' ? outcome.payload.length : 0
        answerBytes += entry.bytes
        forgetOldest()
      }
    },
    sinceMs: () => rememberedSinceMs,
  }
}

function keyOf(identity: string, callId: string): string {
  return `${callId} ${identity}`
}
