import type { Role } from '@muster/runtime'
import { closeWindow } from './dispatch-job.ts'
import { startReconciler } from './reconcile.ts'
import { showHub } from './show-hub.ts'
import { createStarts } from './starts.ts'
import { createRound } from './sweeps/round.ts'

/** Starts jobs when they are due, closes them when their window ends, and repairs the effects of crashes and lost messages. */
export const role: Role = {
  name: 'dispatcher',
  async start(hub) {
    const starts = createStarts(hub)
    showHub(hub)
    const reconciler = startReconciler({ ...hub, starts, running: createRound(), waiting: createRound() })
    const consumer = hub.bus.consumeJobs(async (key) => {
      // A sweep finds the job when the time is known again.
      if (!hub.clock.isTrusted()) return
      try {
        const kind = await starts.start(key)
        if (kind === 'idle') await closeWindow(hub, key)
      } catch (error) {
        // Postgres was lost, or there is a bug. The job is unchanged, and the reconciler will find it.
        hub.events.wakeUpFailed({ kind: 'job', jobKey: key, traceId: undefined, error })
      }
    })
    return {
      async stop(deadline) {
        await Promise.all([consumer.stop(deadline), reconciler.stop(deadline)])
        await starts.stop(deadline)
      },
      check: async () => consumer.check(),
    }
  },
}
