import { randomUUID } from 'node:crypto'
import type { Role } from '@muster/runtime'
import { dropLeases, renewLeases } from '@muster/store'
import { createAttempts } from './attempts.ts'
import { runChunk } from './run-chunk.ts'
import { runDue } from './run-due.ts'
import { leaseMs, type WorkerHub } from './worker-hub.ts'

/** Three renewals fit into a lease: one that fails or comes late does not lose it. */
const renewEveryMs = leaseMs / 4

/** Carries out chunks and due device jobs. Any number of workers share the work; each may die at any moment. */
export const role: Role = {
  name: 'worker',
  async start(hub) {
    const { bus, clock, config, db, events } = hub
    const workerId = randomUUID()
    const attempts = createAttempts(hub, { callsInFlight: config.callsInFlight })
    const worker: WorkerHub = { db, bus, clock, events, workerId, attempts }

    const consumer = bus.consumeWork(
      async (wakeUp) => {
        try {
          return wakeUp.kind === 'chunks' ? await runChunk(worker, wakeUp.key) : await runDue(worker, wakeUp.key)
        } catch (error) {
          // The claim's lease or its rolled-back transaction leaves the work for a sweep to find.
          events.wakeUpFailed({ kind: wakeUp.kind, jobKey: wakeUp.key, error })
          return 'done'
        }
      },
      { concurrency: config.workerConcurrency },
    )
    const renewal = setInterval(() => {
      renewLeases(db, { workerId, leaseMs }, clock.now()).catch((error: unknown) =>
        events.sweepFailed({ sweep: 'renewLeases', error }),
      )
    }, renewEveryMs)

    return {
      async stop(deadline) {
        await consumer.stop(deadline)
        await attempts.drain(deadline)
        clearInterval(renewal)
        await dropLeases(db, workerId, clock.now())
      },
      check: async () => consumer.check(),
    }
  },
}
