import type { DeviceJobStatistics } from '@muster/contract'

/** The statistics of the counters of a job, in the order in which `summedChunks` has them. */
export function toStatistics(counts: readonly number[]): DeviceJobStatistics {
  const [devices, succeeded, failed, running, ended = 0, skipped = 0] = counts
  const statistics = {
    deviceCount: devices ?? 0,
    succeededCount: succeeded ?? 0,
    failedCount: failed ?? 0,
    runningCount: running ?? 0,
    canceledCount: ended - skipped,
    ...(skipped === 0 ? {} : { skippedCount: skipped }),
  }
  const doneCount = statistics.succeededCount + statistics.failedCount + ended
  return { ...statistics, pendingCount: statistics.deviceCount - doneCount - statistics.runningCount }
}
