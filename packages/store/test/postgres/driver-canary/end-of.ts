export interface End {
  readonly kind: 'settled' | 'never'
  readonly how: string
}

/** Longer than the longest wait of a driver between two tries to connect: 20 s in postgres.js. */
const boundMs = 30_000

/**
 * How the promise ends. When Node has nothing left to wait for, no socket and no timer, nothing can settle it any more: that
 * shows a hang without waiting for it. The bound is for a program that has something left.
 */
export async function endOf(promise: Promise<unknown>): Promise<End> {
  const waits = new AbortController()
  const never = new Promise<End>((resolve) => {
    // Not at once: Node says again that nothing is left only after something was.
    const drained = () =>
      setImmediate(resolve, { kind: 'never', how: 'never settles: nothing is left that could settle it' })
    process.once('beforeExit', drained)
    const timer = setTimeout(resolve, boundMs, { kind: 'never', how: `has not settled after ${boundMs / 1000} s` })
    timer.unref()
    waits.signal.onabort = () => {
      process.off('beforeExit', drained)
      clearTimeout(timer)
    }
  })
  const settled = promise.then(
    (): End => ({ kind: 'settled', how: 'is answered' }),
    (error): End => ({ kind: 'settled', how: `rejects with "${String(error)}"` }),
  )
  const end = await Promise.race([settled, never])
  waits.abort()
  return end
}
