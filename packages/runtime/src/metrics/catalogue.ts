import { gatewayMetrics } from './gateway-metrics.ts'
import { jobMetrics } from './job-metrics.ts'
import { processMetrics } from './process-metrics.ts'

/** Every metric of the product, except those that an event counts or times by itself: `eventMetrics` has them. */
export const catalogue = { ...processMetrics, ...jobMetrics, ...gatewayMetrics } as const

export type MetricName = keyof typeof catalogue
