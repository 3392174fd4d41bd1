/** Reads once for all who ask at the same time, and for all who ask within `keptMs` after it. A failure is kept, too. */
export function sharedReading<Value>(keptMs: number, read: () => Promise<Value>): () => Promise<Value> {
  let current: Promise<Value> | undefined
  let endsMs = 0
  return () => {
    if (current === undefined || performance.now() > endsMs) {
      // A reading that hangs is shared until it ends.
      endsMs = Number.POSITIVE_INFINITY
      current = read().finally(() => {
        endsMs = performance.now() + keptMs
      })
    }
    return current
  }
}
