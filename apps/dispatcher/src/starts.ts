import type { JobKey } from '@muster/contract'
import { orAborted } from '@muster/runtime'
import { type DispatchHub, dispatchJob } from './dispatch-job.ts'
import { reported } from './reported.ts'

/** Starts of one dispatcher that may be under way at the same time. Each holds a connection to Postgres. */
const mostAtOnce = 6
/** A start that takes longer goes on by itself, and others have their turn. To search a large fleet may take many seconds. */
const patienceMs = 1_000

type Started = Awaited<ReturnType<typeof dispatchJob>> | 'underWay'

export interface Starts {
  /** Starts a job that is due. Waits for it a second at most. Never rejects: a start that fails is reported, and is `idle`. */
  start(key: JobKey): Promise<Started>
  stop(deadline: AbortSignal): Promise<void>
}

export function createStarts(hub: DispatchHub): Starts {
  const underWay = new Map<JobKey, Promise<Started>>()

  const begin = (key: JobKey): Promise<Started> => {
    const start = reported(hub, key, () => dispatchJob(hub, key)).then((kind) => {
      underWay.delete(key)
      return kind ?? 'idle'
    })
    underWay.set(key, start)
    return start
  }

  return {
    async start(key) {
      if (underWay.has(key)) return 'underWay'
      while (underWay.size >= mostAtOnce) await Promise.race(underWay.values())
      // Another may have begun it meanwhile.
      if (underWay.has(key)) return 'underWay'
      const started = begin(key)
      await orAborted(
        started.then(() => {}),
        AbortSignal.timeout(patienceMs),
      )
      return underWay.has(key) ? 'underWay' : started
    },
    async stop(deadline) {
      await orAborted(
        Promise.all(underWay.values()).then(() => {}),
        deadline,
      )
    },
  }
}
