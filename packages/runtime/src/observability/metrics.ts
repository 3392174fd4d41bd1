import { collectDefaultMetrics, Registry } from 'prom-client'

export type Metrics = Registry

/** The metrics of this process, also those of Node.js. One per hub. */
export function openMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}
