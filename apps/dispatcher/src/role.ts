import { createEventIds, type JobKey } from '@muster/contract'
import { createWebhookCalls, type Role } from '@muster/runtime'
import { readHubId, type WaitingPlace } from '@muster/store'
import { closeWindow } from './dispatch-job.ts'
import { startReconciler } from './reconcile.ts'
import { createJoins } from './rollout/joins.ts'
import { createRound } from './round.ts'
import { showHub } from './show-hub.ts'
import { createStarts } from './starts.ts'
import { createLanes } from './webhooks/lanes.ts'

/** Starts jobs when they are due, closes them when their window ends, sends events to webhooks, and repairs what a crash left. */
export const role: Role = {
  name: 'dispatcher',
  async start(hub) {
    const starts = createStarts(hub)
    const { clock, config } = hub
    const webhookCalls = createWebhookCalls({ clock, allowedNetworks: config.webhookAllowedNetworks })
    const lanes = createLanes({ ...hub, webhookCalls, eventIds: createEventIds(await readHubId(hub.db)) })
    const joins = createJoins(hub)
    showHub(hub)
    const rounds = {
      running: createRound<JobKey>(),
      waiting: createRound<WaitingPlace>(),
      watched: createRound<JobKey>(),
    }
    const reconciler = startReconciler({ ...hub, starts, lanes, joins, ...rounds })
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
    // The lanes go on by themselves: a call does not hold a wake-up.
    const hooks = hub.bus.consumeWebhooks(async (key) => lanes.open(key))
    return {
      async stop(deadline) {
        await Promise.all([consumer.stop(deadline), hooks.stop(deadline), reconciler.stop(deadline)])
        await Promise.all([starts.stop(deadline), lanes.stop(deadline), joins.stop(deadline)])
      },
      async check() {
        consumer.check()
        hooks.check()
      },
    }
  },
}
