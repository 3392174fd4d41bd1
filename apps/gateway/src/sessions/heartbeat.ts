import { requiredUrl } from '@muster/runtime'
import { connect, heartbeat } from '@muster/store'
import type { Gateway } from '../gateway.ts'

const everyMs = 5_000
/** Connections of its own: the pool of the process may be busy with the work of others. A second one, if the first one hangs. */
const poolSize = 2
/** Two failed beats: soon the sweep for dead gateways would close the sessions. */
const lateMs = 3 * everyMs

export interface Heartbeat {
  /** Throws when Postgres took the last sign of life too long ago. */
  check(): void
  stop(): Promise<void>
}

/**
 * Writes the signs of life of this gateway from now on, each with its number of `connections`. Rejects when the first one fails. Calls `onReturn` when one succeeds after a
 * failure, because the hub may have closed the sessions of this gateway meanwhile.
 */
export async function startHeartbeat(
  { config, clock, events, gatewayId }: Gateway,
  { connections, onReturn }: { connections: () => number; onReturn: () => void },
): Promise<Heartbeat> {
  const { db, close } = connect({ url: requiredUrl('DATABASE_URL', config.databaseUrl), poolSize })
  let lastMs = 0
  let hasFailed = false
  const beat = async () => {
    await heartbeat(db, { gatewayId, connections: connections() }, clock.now())
    lastMs = performance.now()
    if (hasFailed) onReturn()
    hasFailed = false
  }
  await beat().catch(async (error) => {
    await close()
    throw error
  })
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
    async stop() {
      clearInterval(timer)
      await close()
    },
  }
}
