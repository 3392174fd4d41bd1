import { heartbeat } from '@muster/store'
import type { Gateway } from '../gateway.ts'

const everyMs = 5_000
/** Two beats that failed: the sweep that closes the sessions of dead gateways is near. */
const lateMs = 3 * everyMs

export interface Heartbeat {
  /** Throws when the last sign of life that Postgres took is too long ago. */
  check(): void
  stop(): void
}

/**
 * Tells the hub that this gateway lives, from now on. Rejects when the first time fails. Calls `onReturn` when it succeeds
 * after it failed: the hub may have taken this gateway for dead meanwhile.
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
