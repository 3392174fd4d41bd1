import type { Role } from '@muster/runtime'
import { closeWindow, dispatchJob } from './dispatch-job.ts'
import { startReconciler } from './reconcile.ts'

/** Starts jobs when they are due, closes them when their window ends, and repairs what a crash or a lost message left behind. */
export const role: Role = {
  name: 'dispatcher',
  async start(hub) {
    const reconciler = startReconciler(hub)
    const consumer = hub.bus.consumeJobs(async (key) => {
      try {
        const kind = await dispatchJob(hub, key)
        if (kind === 'idle') await closeWindow(hub, key)
      } catch (error) {
        // Postgres was lost, or a bug: the job is as it was, and the reconciler comes to it.
        hub.events.wakeUpFailed({ kind: 'job', jobKey: key, error })
      }
    })
    return {
      async stop(deadline) {
        await Promise.all([consumer.stop(deadline), reconciler.stop(deadline)])
      },
      check: async () => consumer.check(),
    }
  },
}
