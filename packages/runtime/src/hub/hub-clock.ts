import type { Events } from '../observability/events.ts'
import type { HubClock } from './role.ts'
import { estimateTime, type Measurement } from './time-estimate.ts'

/** How often to look whether a measurement is due. While the time is not trusted, one is due at every look. */
const lookEveryMs = 1_000
const measureEveryMs = 10_000
/** Two clocks that are this far apart never let a lease of 15 s look expired to one and good to the other for long. */
const errorMsMax = 500
/** Six measurements that failed. By then a clock that runs fast or slow may have drifted by some ms, and the machine may have slept. */
const silenceMsMax = 60_000

interface RunningClock extends HubClock, Disposable {
  /** Why the time is not trusted now. Null: it is. */
  doubt(): string | null
}

/** The clocks of this process: one that never jumps, and the one that the machine shows, which may be set to any time. */
interface ProcessClocks {
  steadyMs(): number
  wallMs(): number
}

const ownClocks: ProcessClocks = { steadyMs: () => performance.now(), wallMs: () => Date.now() }

/**
 * Measures the time of Postgres, now and from now on, and tells the time of the hub from it. The clock that the machine shows does not
 * count, but when it jumps, the machine may have been asleep, and the time is not trusted until it has been measured again. Rejects
 * when the first measurement fails.
 */
export async function startHubClock(
  measure: () => Promise<Measurement>,
  events: Pick<Events, 'clockMeasured' | 'clockTrusted' | 'clockDoubted'>,
  { steadyMs, wallMs }: ProcessClocks = ownClocks,
): Promise<RunningClock> {
  const estimate = estimateTime(await measure())
  let measuredAtMs = steadyMs()
  let wallAheadMs = wallMs() - steadyMs()
  let wasTrusted = true
  let isMeasuring = false

  const doubt = () => {
    const nowMs = steadyMs()
    const silentMs = nowMs - measuredAtMs
    if (silentMs > silenceMsMax) return `the time of Postgres was last measured ${Math.round(silentMs / 1000)} s ago`
    const errorMs = Math.round(estimate.errorMs(nowMs))
    if (errorMs > errorMsMax) return `the time of Postgres is known to ${errorMs} ms only`
    const jumpMs = Math.round(Math.abs(wallMs() - nowMs - wallAheadMs))
    return jumpMs > errorMsMax ? `the clock of this machine jumped by ${jumpMs} ms` : null
  }
  const report = () => {
    const reason = doubt()
    const isTrusted = reason === null
    if (isTrusted === wasTrusted) return
    wasTrusted = isTrusted
    if (isTrusted) events.clockTrusted({ errorSeconds: estimate.errorMs(steadyMs()) / 1000 })
    else events.clockDoubted({ reason })
  }
  const settle = () => {
    const nowMs = steadyMs()
    measuredAtMs = nowMs
    wallAheadMs = wallMs() - nowMs
    events.clockMeasured({
      offsetSeconds: (wallMs() - estimate.at(nowMs)) / 1000,
      errorSeconds: estimate.errorMs(nowMs) / 1000,
    })
  }
  const look = async () => {
    report()
    const isDue = !wasTrusted || steadyMs() - measuredAtMs >= measureEveryMs
    if (!isDue || isMeasuring) return
    isMeasuring = true
    try {
      estimate.add(await measure())
      settle()
    } catch {
      // Postgres is away. The next look measures again, and the silence counts.
    } finally {
      isMeasuring = false
    }
    report()
  }

  settle()
  const timer = setInterval(() => void look(), lookEveryMs).unref()
  return {
    now: () => new Date(estimate.at(steadyMs())),
    isTrusted: () => doubt() === null,
    doubt,
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
