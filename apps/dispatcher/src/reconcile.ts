import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { orAborted } from '@muster/runtime'
import { isDatabaseLost, type Sweep, type SweepName, sweepNames, sweeps } from '@muster/store'
import { type Outages, watchOutages } from './outages.ts'
import { showSweepAges } from './sweeps/ages.ts'
import { type SweepHub, sweepRuns } from './sweeps/runs.ts'

/** The most that one pass repairs, or looks at. After a pass that reached it, another follows at once. */
const limit = 500

/**
 * Runs every sweep again and again, at random intervals, so that dispatchers do not run it at the same time. Sweeps repair the
 * effects of lost messages and dead processes, with the same guarded statements as everywhere else. Any number of dispatchers may run
 * them at once, and none is a leader.
 */
export function startReconciler(hub: SweepHub): { stop(deadline: AbortSignal): Promise<void> } {
  const stopping = new AbortController()
  // Every sweep listens to it in its pause. Node would warn of a leak from the eleventh listener on.
  setMaxListeners(0, stopping.signal)
  const watches = { outages: watchOutages(), ages: showSweepAges(hub.metrics) }
  const loops = Promise.all(sweepNames.map((name) => repeat(hub, name, watches, stopping.signal)))
  return {
    async stop(deadline) {
      stopping.abort()
      await orAborted(
        loops.then(() => {}),
        deadline,
      )
    },
  }
}

interface Watches {
  readonly outages: Outages
  readonly ages: ReturnType<typeof showSweepAges>
}

async function repeat(hub: SweepHub, name: SweepName, watches: Watches, signal: AbortSignal): Promise<void> {
  const { everySeconds, afterOutageSeconds = 0 }: Sweep = sweeps[name]
  const everyMs = everySeconds * 1_000
  while (!signal.aborted) {
    const isPatient = watches.outages.secondsSince() < afterOutageSeconds
    const repaired = isPatient ? 0 : await runSweep(hub, name, watches)
    await pause(repaired >= limit ? 0 : everyMs * (0.75 + Math.random() / 2), signal)
  }
}

/** One pass, which reports the number of repairs. A pass that fails is repeated at its next time. Without the time nothing is repaired. */
async function runSweep(hub: SweepHub, name: SweepName, { outages, ages }: Watches): Promise<number> {
  if (!hub.clock.isTrusted()) return 0
  try {
    const startedAtMs = performance.now()
    const count = await sweepRuns[name](hub, { limit })
    hub.metrics.muster_sweep_seconds.observe({ sweep: name }, (performance.now() - startedAtMs) / 1000)
    outages.noteAnswer()
    ages.noteEnd(name)
    if (count > 0) hub.events.sweepRepaired({ sweep: name, count })
    return count
  } catch (error) {
    if (isDatabaseLost(error)) outages.noteLoss()
    hub.events.sweepFailed({ sweep: name, error })
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
