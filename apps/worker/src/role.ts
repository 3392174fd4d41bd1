import type { Role } from '@muster/runtime'
import { createAttempts } from './attempts.ts'
import { runChunk } from './run-chunk.ts'
import { runDue } from './run-due.ts'
import type { WorkerHub } from './worker-hub.ts'

/** When to ask again whether the time is known. A claim with a wrong time may be one that others hold, or hold for too long. */
const distrustMs = 1_000

/** Carries out chunks and due device jobs. Any number of workers share the work; each may die at any moment. */
export const role: Role = {
  name: 'worker',
  async start(hub) {
    const { bus, clock, config, db, events, metrics, throttles, tracing } = hub
    const attempts = await createAttempts(hub, { callsInFlight: config.callsInFlight })
    const worker: WorkerHub = { db, bus, clock, events, metrics, throttles, tracing, attempts }
    metrics.muster_worker_calls_limit.set(config.callsInFlight)
    metrics.whenScraped(() => ({ muster_worker_calls_in_flight: attempts.inFlight() }))

    const consumer = bus.consumeWork(
      async (wakeUp) => {
        if (!clock.isTrusted()) return { laterMs: distrustMs }
        try {
          return wakeUp.kind === 'chunks' ? await runChunk(worker, wakeUp) : await runDue(worker, wakeUp.key)
        } catch (error) {
          // The lease ends, or the transaction was rolled back. A sweep then finds the work.
          events.wakeUpFailed({ kind: wakeUp.kind, jobKey: wakeUp.key, traceId: undefined, error })
          return 'done'
        }
      },
      { concurrency: config.workerConcurrency },
    )
    return {
      async stop(deadline) {
        await consumer.stop(deadline)
        // Claims that could not be given up end with their leases.
        await attempts.stop(deadline).catch((error: unknown) => events.leaseRenewalFailed({ error }))
      },
      check: async () => consumer.check(),
    }
  },
}
