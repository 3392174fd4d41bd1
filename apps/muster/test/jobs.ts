import { eventually } from '@muster/testkit'
import { expect } from 'vitest'
import type { TestHub } from './hub.ts'

type Caller = Pick<TestHub, 'request'>

/** What the tests read of a job. */
export interface JobJson {
  readonly status: string
  readonly endTime?: string
  readonly deviceJobStatistics?: Readonly<Record<string, number>>
}

/** Creates a job that starts now. */
export async function putJob(hub: Caller, jobId: string, body: object): Promise<void> {
  const response = await hub.request('PUT', `/jobs/v2/${jobId}`, body)
  if (response.status !== 200) throw new Error(`PUT answered ${response.status}: ${await response.text()}`)
}

async function getJob(hub: Caller, jobId: string): Promise<JobJson> {
  const response = await hub.request('GET', `/jobs/v2/${jobId}`)
  return JSON.parse(await response.text())
}

/** Waits until the job's statistics have so many of a counter. In every read on the way they add up. */
export function reaching(hub: Caller, jobId: string, counter: string, count: number): Promise<JobJson> {
  return eventually(
    async () => {
      const job = await getJob(hub, jobId)
      addsUp(job)
      expect(job.deviceJobStatistics?.[counter] ?? 0).toBeGreaterThanOrEqual(count)
      return job
    },
    { timeoutMs: 45_000 },
  )
}

/** Waits until the job has ended. In every read on the way the statistics add up. */
export function ending(hub: Caller, jobId: string): Promise<JobJson> {
  return eventually(
    async () => {
      const job = await getJob(hub, jobId)
      addsUp(job)
      expect(['completed', 'failed', 'cancelled']).toContain(job.status)
      return job
    },
    { timeoutMs: 55_000 },
  )
}

/** Waits until so many devices of the job have been looked for, and wait for their connections: none of them is in flight then. */
export function waiting(hub: Caller, jobId: string, count: number): Promise<void> {
  return eventually(
    async () => {
      const response = await hub.request('GET', `/jobs/v2/${jobId}/devices?status=pending`)
      const { items }: { items: readonly Readonly<Record<string, string>>[] } = JSON.parse(await response.text())
      const tried = items.filter((row) => row.lastUpdatedDateTimeUtc !== row.createdDateTimeUtc)
      expect(tried).toHaveLength(count)
    },
    { timeoutMs: 45_000 },
  )
}

function addsUp({ deviceJobStatistics: counts }: JobJson): void {
  if (counts === undefined) return
  const { deviceCount, succeededCount, failedCount, runningCount, pendingCount, canceledCount, skippedCount } = counts
  const parts = [succeededCount, failedCount, runningCount, pendingCount, canceledCount, skippedCount]
  expect(deviceCount).toBe(parts.reduce<number>((sum, count) => sum + (count ?? 0), 0))
}

/** Rows of `devices.jobs` that meet the condition. */
export async function deviceRows(hub: Caller, condition: string): Promise<unknown> {
  const response = await hub.request('POST', '/devices/query', {
    query: `SELECT * FROM devices.jobs WHERE ${condition}`,
  })
  return JSON.parse(await response.text())
}
