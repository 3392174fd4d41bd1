import type { JobKey } from '@muster/contract'
import {
  analyzeGrownTables,
  expireOverdueJobs,
  keepStatistics,
  raiseRates,
  releaseExpiredChunks,
  releaseExpiredDeviceJobs,
  type SweepName,
  type WaitingPlace,
} from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import { advanceRollouts } from '../rollout/advance-rollouts.ts'
import type { Joins } from '../rollout/joins.ts'
import type { Round } from '../round.ts'
import { runSchedules } from '../schedules/run-schedules.ts'
import type { Starts } from '../starts.ts'
import type { Lanes } from '../webhooks/lanes.ts'
import type { Bound } from './bound.ts'
import { cancelLongPaused } from './cancel-long-paused.ts'
import { closeDeadSessions } from './close-dead-sessions.ts'
import { finishDrainedJobs } from './finish-drained-jobs.ts'
import { markForgotten } from './mark-forgotten.ts'
import { purge } from './purge.ts'
import { purgeDeliveries } from './purge-deliveries.ts'
import { scheduleQueuedJobs } from './schedule-queued-jobs.ts'
import { startDueJobs } from './start-due-jobs.ts'
import { wakeForgottenWork } from './wake-forgotten-work.ts'
import { wakeWebhooks } from './wake-webhooks.ts'

export interface SweepHub extends DispatchHub {
  readonly starts: Starts
  readonly lanes: Lanes
  readonly joins: Joins
  readonly running: Round<JobKey>
  readonly waiting: Round<WaitingPlace>
  readonly watched: Round<JobKey>
}

/** How each sweep runs: one pass, which returns its count. Most are one statement; the others have a file each. */
export const sweepRuns: Readonly<Record<SweepName, (hub: SweepHub, bound: Bound) => Promise<number>>> = {
  startDueJobs,
  releaseExpiredChunks: ({ db, clock }, bound) => releaseExpiredChunks(db, bound, clock.now()),
  releaseExpiredDeviceJobs: ({ db, clock }, bound) => releaseExpiredDeviceJobs(db, bound, clock.now()),
  wakeForgottenWork,
  expireOverdueJobs: ({ db, clock }, bound) => expireOverdueJobs(db, bound, clock.now()),
  cancelLongPaused,
  raiseRates: ({ db }, bound) => raiseRates(db, bound),
  finishDrainedJobs,
  advanceRollouts,
  // A million devices take 3 ms (`npm run bench -- sweeps`), so 50 jobs of a million take a sixth of a second.
  keepStatistics: ({ db }) => keepStatistics(db, { limit: 50 }),
  scheduleQueuedJobs,
  markForgottenReachable: markForgotten,
  closeSessionsOfDeadGateways: closeDeadSessions,
  analyzeGrownTables: ({ db }, bound) => analyzeGrownTables(db, bound),
  letDevicesJoin: ({ joins }) => joins.pass(),
  runSchedules,
  wakeWebhooks,
  purgeDeliveries,
  purgeHistory: purge,
}
