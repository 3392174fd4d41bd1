import { apiMetrics } from './api-metrics.ts'
import { gatewayMetrics } from './gateway-metrics.ts'
import { hubMetrics } from './hub-metrics.ts'
import { jobMetrics } from './job-metrics.ts'
import { processMetrics } from './process-metrics.ts'
import { storeMetrics } from './store-metrics.ts'

/** Every metric of the product, except those that an event counts or times by itself: `eventMetrics` has them. */
export const catalogue = {
  ...processMetrics,
  ...storeMetrics,
  ...jobMetrics,
  ...apiMetrics,
  ...gatewayMetrics,
  ...hubMetrics,
} as const

export type MetricName = keyof typeof catalogue
