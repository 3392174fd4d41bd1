import { heartbeat } from '@muster/store'
import type { Gateway } from '../gateway.ts'

const everyMs = 5_000
/** Two failed beats: soon the sweep for dead gateways would close the sessions. */
const lateMs = 3 * everyMs

export interface Heartbeat {
  /** Throws when Postgres took the last sign of life too long ago. */
  check(): void
  stop(): void
}

/**
 * Writes the signs of life of this gateway from now on. Rejects when the first one fails. Calls `onReturn` when one succeeds after a
 * failure, because the hub may have closed the sessions of this gateway meanwhile.
 */
export async function startHeartbeat(
  { db, clock, events, gatewayId }: Gateway,
  { onReturn }: { onReturn: () => void },
): Promise<Heartbeat> {
  let lastMs = 0
  let hasFailed = false
  const beat = async () => {
    await heartbeat(db, gatewayId, clock.now())
    lastMs = performance.now()
    if (hasFailed) onReturn()
    hasFailed = false
  }
  await beat()
  const timer = setInterval(() => {
    beat().catch((error: unknown) => {
      hasFailed = true
      events.gatewayFailed({ step: 'heartbeat', error })
    })
  }, everyMs)

  return {
    check() {
      const silentMs = performance.now() - lastMs
      if (silentMs > lateMs) throw new Error(`the last heartbeat was ${Math.round(silentMs / 1000)} s ago`)
    },
    stop: () => clearInterval(timer),
  }
}
