import { collectDefaultMetrics, Registry } from 'prom-client'

export type Metrics = Registry

/** The numbers of this process, those of Node.js included. One per hub. */
export function openMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}
