import { setTimeout as sleep } from 'node:timers/promises'
import type { JobKey } from '@muster/contract'
import {
  closeSessionsOfDeadGateways,
  ensurePartitions,
  expireOverdueJobs,
  findDrainedJobs,
  findDueJobs,
  findForgottenWork,
  findUnscheduledJobs,
  markForgottenReachable,
  markScheduled,
  purgeHistory,
  releaseExpiredChunks,
  releaseExpiredDeviceJobs,
} from '@muster/store'
import { type DispatchHub, dispatchJob, finishJob } from './dispatch-job.ts'

interface Sweep {
  readonly name: string
  readonly everyMs: number
  /** One bounded pass. Returns how much it repaired. */
  run(hub: DispatchHub): Promise<number>
}

const limit = 500
const secondMs = 1_000
const hourMs = 3_600_000

/** A gateway writes its heartbeat every 5 s: four misses in a row and its sessions are over. */
const gatewayDeadAfterMs = 20_000

/**
 * The sweeps that repair what a lost message or a dead process left behind. They are the same guarded statements as
 * everywhere else, run on a clock: any number of dispatchers may run them at once, and none is a leader.
 */
const sweeps: readonly Sweep[] = [
  { name: 'startDueJobs', everyMs: secondMs, run: startDueJobs },
  {
    name: 'releaseExpiredChunks',
    everyMs: secondMs,
    run: ({ db, clock }) => releaseExpiredChunks(db, { limit }, clock.now()),
  },
  {
    name: 'releaseExpiredDeviceJobs',
    everyMs: secondMs,
    run: ({ db, clock }) => releaseExpiredDeviceJobs(db, { limit }, clock.now()),
  },
  { name: 'wakeForgottenWork', everyMs: secondMs, run: wakeForgottenWork },
  {
    name: 'expireOverdueJobs',
    everyMs: secondMs,
    run: ({ db, clock }) => expireOverdueJobs(db, { limit }, clock.now()),
  },
  { name: 'finishDrainedJobs', everyMs: secondMs, run: finishDrainedJobs },
  { name: 'scheduleQueuedJobs', everyMs: 2 * secondMs, run: scheduleQueuedJobs },
  {
    name: 'markForgottenReachable',
    // It reads every waiting device job; what it repairs is a gateway that died between two statements.
    everyMs: 60 * secondMs,
    run: ({ db, clock }) => markForgottenReachable(db, { limit }, clock.now()),
  },
  { name: 'closeSessionsOfDeadGateways', everyMs: 5 * secondMs, run: closeDeadSessions },
  { name: 'purgeHistory', everyMs: hourMs, run: purge },
]

/** Runs every sweep again and again, at random intervals, so that replicas never march in step. */
export function startReconciler(hub: DispatchHub): { stop(deadline: AbortSignal): Promise<void> } {
  const stopping = new AbortController()
  const loops = Promise.all(sweeps.map((sweep) => repeat(hub, sweep, stopping.signal)))
  return {
    async stop(deadline) {
      stopping.abort()
      const expired = new Promise<void>((resolve) =>
        deadline.addEventListener('abort', () => resolve(), { once: true }),
      )
      await Promise.race([loops, expired])
    },
  }
}

async function repeat(hub: DispatchHub, sweep: Sweep, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const repaired = await runSweep(hub, sweep)
    // A full pass means that there is more.
    const pauseMs = repaired >= limit ? 0 : sweep.everyMs * (0.75 + Math.random() / 2)
    await pause(pauseMs, signal)
  }
}

/** One pass that reports what it repaired. A pass that fails is repeated at its next time. */
async function runSweep(hub: DispatchHub, sweep: Sweep): Promise<number> {
  try {
    const count = await sweep.run(hub)
    if (count > 0) hub.events.sweepRepaired({ sweep: sweep.name, count })
    return count
  } catch (error) {
    hub.events.sweepFailed({ sweep: sweep.name, error })
    return 0
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function startDueJobs(hub: DispatchHub): Promise<number> {
  let started = 0
  for (const key of await findDueJobs(hub.db, limit, hub.clock.now())) {
    const kind = await reported(hub, key, () => dispatchJob(hub, key))
    if (kind === 'full') break
    if (kind === 'started') started += 1
  }
  return started
}

/** A job that cannot be worked on is reported, and must not keep the sweep from those behind it. */
async function reported<Value>(
  { events }: DispatchHub,
  key: JobKey,
  work: () => Promise<Value>,
): Promise<Value | null> {
  try {
    return await work()
  } catch (error) {
    events.wakeUpFailed({ kind: 'job', jobKey: key, error })
    return null
  }
}

async function wakeForgottenWork({ db, bus, clock }: DispatchHub): Promise<number> {
  const work = await findForgottenWork(db, { limit }, clock.now())
  for (const { key, kind } of work) {
    await (kind === 'chunks' ? bus.wakeChunks(key) : bus.wakeDue(key))
  }
  // A wake-up that is there already is ignored: these are reminders, not repairs.
  return 0
}

async function finishDrainedJobs(hub: DispatchHub): Promise<number> {
  const keys = await findDrainedJobs(hub.db, { limit })
  for (const key of keys) await reported(hub, key, () => finishJob(hub, key))
  return keys.length
}

async function scheduleQueuedJobs({ db, bus, clock }: DispatchHub): Promise<number> {
  let scheduled = 0
  for (const { key, startAt } of await findUnscheduledJobs(db, { limit }, clock.now())) {
    if ((await bus.wakeAt(key, startAt)) && (await markScheduled(db, key))) scheduled += 1
  }
  return scheduled
}

function closeDeadSessions({ db, clock }: DispatchHub): Promise<number> {
  const now = clock.now()
  return closeSessionsOfDeadGateways(db, { deadBefore: new Date(now.getTime() - gatewayDeadAfterMs), limit }, now)
}

async function purge({ db, clock, config }: DispatchHub): Promise<number> {
  const now = clock.now()
  // This week's for a new hub, next week's ahead of time.
  await ensurePartitions(db, now)
  await ensurePartitions(db, new Date(now.getTime() + 7 * 24 * hourMs))
  return purgeHistory(db, { endedBefore: new Date(now.getTime() - config.historyDays * 24 * hourMs), limit })
}
