import { setTimeout as sleep } from 'node:timers/promises'
import { MusterError } from '@muster/client'

/** Makes a call that may be repeated, and repeats it. */
export type Patience = <Result>(call: () => Promise<Result>) => Promise<Result>

/** A hub that restarts is back by then. */
const lossesMax = 8

/**
 * Repeats for ever what is refused because the rate is used up, and a bounded number of times what was lost. Nothing is repeated before the
 * hub has answered for the first time: then its address is wrong, or it does not run.
 */
export function createPatience(signal: AbortSignal): Patience {
  let hasAnswered = false
  return async function patiently(call) {
    for (let losses = 0; ; ) {
      try {
        const result = await call()
        hasAnswered = true
        return result
      } catch (error) {
        if (!(error instanceof MusterError) || signal.aborted) throw error
        hasAnswered ||= error.status !== null
        const isLoss = error.status === null || error.status >= 500
        if (isLoss) losses += 1
        if (!hasAnswered || losses > lossesMax || (!isLoss && error.status !== 429)) throw error
        await sleep(error.retryAfterMs ?? 250 * 2 ** losses, undefined, { signal })
      }
    }
  }
}
