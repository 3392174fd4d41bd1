import { setTimeout as sleep } from 'node:timers/promises'
import { isStatementTimeout, isWorthRepeating } from '@muster/store'

const repeatAfterMsMax = 5_000

/**
 * A device has answered, and nobody else knows it. So this tries until Postgres can do it, however long that takes, or until the signal
 * aborts. The places of the devices are held meanwhile, so the worker claims no more than it can keep.
 */
export async function persistently<Value>(work: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
  for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, repeatAfterMsMax)) {
    try {
      return await work()
    } catch (error) {
      if (!isPassing(error) || signal.aborted) throw error
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

/**
 * Nothing in the outcomes is the cause, and the same statement may succeed later. That goes for a timeout, too: the statements of an
 * outcome are short, and Postgres was slow.
 */
export function isPassing(error: unknown): boolean {
  return isWorthRepeating(error) || isStatementTimeout(error)
}
