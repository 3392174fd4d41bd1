/** One sweep: an idempotent repair with a limit for each pass. Any number of sweeps may run at the same time. */
export interface Sweep {
  /** The mean pause between two passes. A pass that reached its limit is followed by the next one at once. */
  readonly everySeconds: number
  /**
   * It takes silence for death: a lease or a sign of life that nobody renewed. While Postgres was away nobody could, so it waits for so
   * long after an outage.
   */
  readonly afterOutageSeconds?: number
  /** The fault that it repairs. */
  readonly repairs: string
  /** What a pass counts. */
  readonly counts: string
}

/** Every sweep. The reconciler runs them, the metrics have their names, and docs/architecture.md shows this table. */
export const sweeps = {
  startDueJobs: {
    everySeconds: 1,
    repairs: 'the wake-up at the start time of a job was lost',
    counts: 'jobs that started',
  },
  releaseExpiredChunks: {
    everySeconds: 1,
    afterOutageSeconds: 15,
    repairs: 'a worker died or froze with a chunk',
    counts: 'chunks that others may claim',
  },
  releaseExpiredDeviceJobs: {
    everySeconds: 1,
    afterOutageSeconds: 15,
    repairs: 'a worker died or froze with device jobs',
    counts: 'device jobs that are due again',
  },
  wakeForgottenWork: {
    everySeconds: 1,
    repairs: 'the wake-up for chunks or due device jobs was lost',
    counts: 'nothing: a wake-up that is there already changes nothing',
  },
  expireOverdueJobs: {
    everySeconds: 1,
    repairs: 'the window of a job ended while nobody looked',
    counts: 'jobs whose window was closed',
  },
  cancelLongPaused: {
    everySeconds: 1,
    repairs: 'a job was paused for as long as it may be, and nobody resumed it',
    counts: 'jobs that were cancelled',
  },
  raiseRates: {
    everySeconds: 1,
    repairs: 'the rate of a job rises with its devices that have succeeded, and nobody has looked at them',
    counts: 'jobs whose rate has risen',
  },
  finishDrainedJobs: {
    everySeconds: 1,
    repairs: 'the last worker died before it completed the job',
    counts: 'jobs without an open device',
  },
  advanceRollouts: {
    everySeconds: 1,
    repairs: 'a job has to stop, or its next stage may open, and no worker has seen it: a soak ends by this sweep',
    counts: 'stages that opened, and jobs that stopped',
  },
  keepStatistics: {
    everySeconds: 1,
    repairs: 'the statistics of an ended job are still the sums of its chunks, which take long to read',
    counts: 'jobs whose statistics were kept',
  },
  scheduleQueuedJobs: {
    everySeconds: 2,
    repairs: 'Redis did not take the wake-up of a job that starts later',
    counts: 'jobs whose wake-up is on the bus',
  },
  markForgottenReachable: {
    // A pass looks at 500 device jobs that wait. It is needed only after a process died between two statements.
    everySeconds: 1,
    repairs: 'the word that a device is reachable, or deleted, was lost',
    counts: 'device jobs that are due',
  },
  closeSessionsOfDeadGateways: {
    everySeconds: 5,
    afterOutageSeconds: 20,
    repairs: 'a gateway died or froze with its connections',
    counts: 'sessions that were closed',
  },
  analyzeGrownTables: {
    everySeconds: 1,
    repairs: 'a table has doubled, and Postgres still plans for the small one',
    counts: 'tables that were analyzed',
  },
  letDevicesJoin: {
    everySeconds: 1,
    repairs:
      'nobody was told that a device has come to match a continuous job: its condition is evaluated once a minute',
    counts: 'devices that have joined',
  },
  runSchedules: {
    everySeconds: 1,
    repairs: 'the time of a schedule has come: nobody else looks for it',
    counts: 'jobs that schedules have made',
  },
  wakeWebhooks: {
    everySeconds: 1,
    repairs: 'nobody was woken for an event of a webhook that is due: a first try waits for this sweep',
    counts: 'nothing: a wake-up that is there already changes nothing',
  },
  purgeDeliveries: {
    everySeconds: 60,
    repairs: 'deliveries were accepted longer ago than the hub keeps them, or their webhook is gone',
    counts: 'deliveries that were deleted',
  },
  purgeHistory: {
    everySeconds: 3600,
    repairs: 'jobs ended longer ago than the hub keeps them, or a partition is missing',
    counts: 'jobs that were deleted',
  },
} as const satisfies Record<string, Sweep>

export type SweepName = keyof typeof sweeps

export const sweepNames = Object.keys(sweeps).filter((name): name is SweepName => name in sweeps)
