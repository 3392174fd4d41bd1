import { isTerminal, type JobEvent, type JobKey } from '@muster/contract'
import { type Db, type JobCounts, readJobCounts } from '@muster/store'
import type { Listener } from './listener.ts'
import { statisticsMessage } from './messages.ts'

/** Who listens to all jobs gets the statistics of so many running ones, the latest: as many as run at a time by default. */
const runningMax = 100

/** Follows the statistics of the jobs to which somebody listens. */
export interface StatisticsFollower {
  /** These events were told. Their jobs may have ended between two readings. */
  note(events: readonly JobEvent[]): void
  /**
   * Reads the statistics, tells those that have changed, and returns the listeners that have the last ones of their job. `send`: to one
   * listener.
   */
  follow(
    db: Db,
    live: readonly Listener[],
    send: (listener: Listener, message: Uint8Array) => void,
  ): Promise<readonly Listener[]>
}

export function createStatisticsFollower(): StatisticsFollower {
  /** What was told last, of jobs that may still change. */
  let told = new Map<JobKey, string>()
  const noted = new Set<JobKey>()

  return {
    note(events) {
      for (const { jobKey } of events) noted.add(jobKey)
    },
    async follow(db, live, send) {
      const hasAll = live.some(({ jobKey }) => jobKey === null)
      const watched = live.flatMap(({ jobKey }) => (jobKey === null ? [] : [jobKey]))
      const keys = [...new Set([...watched, ...(hasAll ? [...told.keys(), ...noted] : [])])]
      if (keys.length === 0 && !hasAll) {
        noted.clear()
        return []
      }
      const counts = await readJobCounts(db, { keys, runningLimit: hasAll ? runningMax : 0 })
      noted.clear()

      const next = new Map<JobKey, string>()
      for (const each of counts) {
        const text = `${each.status} ${Object.values(each.statistics).join(' ')}`
        const isChanged = told.get(each.key) !== text
        if (!isFinal(each) || watched.includes(each.key)) next.set(each.key, text)
        const listening = live.filter(
          ({ jobKey, isCounted }) => (jobKey ?? each.key) === each.key && (isChanged || !isCounted),
        )
        if (listening.length === 0) continue
        const message = statisticsMessage(each)
        for (const listener of listening) send(listener, message)
      }
      told = next
      for (const listener of live) listener.isCounted = true
      const open = new Set(counts.filter((each) => !isFinal(each)).map(({ key }) => key))
      return live.filter(({ jobKey, hasEnd }) => hasEnd && jobKey !== null && !open.has(jobKey))
    },
  }
}

/** The job has ended, and no device is open or in flight any more: its statistics stay as they are. */
export function isFinal({ status, statistics }: Pick<JobCounts, 'status' | 'statistics'>): boolean {
  return isTerminal(status) && statistics.runningCount + statistics.pendingCount === 0
}
