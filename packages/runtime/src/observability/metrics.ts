import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'

export type Metrics = Registry

/** The metrics of this process, also those of Node.js. One per hub. */
export function openMetrics(version: string): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const build = new Gauge({
    name: 'muster_build_info',
    help: 'The version of this process; always 1',
    labelNames: ['version'],
    registers: [registry],
  })
  build.set({ version }, 1)
  return registry
}
