import type { DeviceJobStatistics } from '@muster/contract'

/** The statistics of the counters of a job, in the order in which `summedChunks` has them. */
export function toStatistics(counts: readonly number[]): DeviceJobStatistics {
  const [devices, succeeded, failed, running, canceled] = counts
  const statistics = {
    deviceCount: devices ?? 0,
    succeededCount: succeeded ?? 0,
    failedCount: failed ?? 0,
    runningCount: running ?? 0,
    canceledCount: canceled ?? 0,
  }
  const ended = statistics.succeededCount + statistics.failedCount + statistics.canceledCount
  return { ...statistics, pendingCount: statistics.deviceCount - ended - statistics.runningCount }
}
