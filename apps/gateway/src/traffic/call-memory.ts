import type { CallOutcome } from '../sessions/pending-call.ts'

/** A call that was written to the connection of a device. */
export interface DeliveredCall {
  /** Which delivery it is: 1 is the first one of the call. */
  readonly delivery: number
  /** The hub's time. */
  readonly deliveredAtMs: number
  /** Whether the device has no more time to answer. */
  readonly isSettled: boolean
  /** Calls back with the outcome, at once if there is one. */
  follow(report: (outcome: CallOutcome) => void): void
  /** Tells the outcome. Call it once. */
  settle(outcome: CallOutcome): void
}

export interface CallMemory {
  find(identity: string, callId: string): DeliveredCall | undefined
  /** Remembers a delivery. */
  add(identity: string, callId: string, delivery: number): DeliveredCall
  /** The hub's time since when every delivery is remembered, in ms. Of an earlier one nobody can say that it has not been. */
  sinceMs(): number
}

/** So many calls and so many bytes of answers are remembered; beyond them the oldest ones are forgotten. */
export interface MemoryLimits {
  readonly calls: number
  readonly answerBytes: number
}

const memoryLimits: MemoryLimits = { calls: 200_000, answerBytes: 64 * 1024 * 1024 }

interface Entry extends DeliveredCall {
  bytes: number
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
      if (entry.isSettled) forget(key, entry)
    }
  }

  const remember = (key: string, delivery: number): Entry => {
    let outcome: CallOutcome | null = null
    const followers: ((outcome: CallOutcome) => void)[] = []
    const entry: Entry = {
      delivery,
      deliveredAtMs: nowMs(),
      bytes: 0,
      get isSettled() {
        return outcome !== null
      },
      follow(report) {
        if (outcome === null) followers.push(report)
        else report(outcome)
      },
      settle(told) {
        outcome = told
        for (const report of followers.splice(0)) report(told)
        if (entries.get(key) !== entry) return
        entry.bytes = told.kind === 'answered' ? told.payload.length : 0
        answerBytes += entry.bytes
        forgetOldest()
      },
    }
    entries.set(key, entry)
    return entry
  }

  return {
    find: (identity, callId) => entries.get(keyOf(identity, callId)),
    add(identity, callId, delivery) {
      const key = keyOf(identity, callId)
      answerBytes -= entries.get(key)?.bytes ?? 0
      // The newest comes last.
      entries.delete(key)
      return remember(key, delivery)
    },
    sinceMs: () => rememberedSinceMs,
  }
}

function keyOf(identity: string, callId: string): string {
  return `${callId} ${identity}`
}
