import type { Metrics } from '@muster/runtime'
import { type SweepName, sweepNames } from '@muster/store'

/** Shows how long ago each sweep of this process last ended a pass that succeeded. A sweep that was never through counts from now on. */
export function showSweepAges(metrics: Metrics): { noteEnd(name: SweepName): void } {
  const sinceMs = new Map(sweepNames.map((name) => [name, performance.now()]))
  metrics.whenScraped(() => {
    const nowMs = performance.now()
    return {
      muster_sweep_age_seconds: [...sinceMs].map(([sweep, atMs]) => ({
        labels: { sweep },
        value: (nowMs - atMs) / 1000,
      })),
    }
  })
  return { noteEnd: (name) => void sinceMs.set(name, performance.now()) }
}
