import type { Db } from '@muster/store'

/** When each device of a job was called, in seconds of the epoch, in order. */
export async function deliveryTimes(db: Db, jobId: string): Promise<readonly number[]> {
  const { rows } = await db.execute<{ time: number }>(`
    select extract(epoch from delivered_at)::float8 as time
      from device_jobs join jobs using (week, job_key)
     where job_id = '${jobId}' and delivered_at is not null
     order by 1`)
  return rows.map(({ time }) => time)
}

/** What the hub has written into the row of a job. */
export async function readRow(
  db: Db,
  jobId: string,
): Promise<{ readonly rate: number; readonly notified: number; readonly freeAt: number }> {
  const { rows } = await db.execute<{ rate: number; notified: number; freeAt: number }>(`
    select rate, notified, extract(epoch from rate_free_at)::float8 as "freeAt" from jobs where job_id = '${jobId}'`)
  const [row] = rows
  if (row === undefined) throw new Error(`there is no job ${jobId}`)
  return row
}

/** A ramp by the devices that were called, as the API takes it. */
export const ramp = {
  maximumPerMinute: 1_200,
  exponentialRate: {
    baseRatePerMinute: 120,
    incrementFactor: 2,
    rateIncreaseCriteria: { numberOfNotifiedThings: 10 },
  },
}

/** How many seconds that ramp takes for so many devices. */
export function curveSeconds(devices: number): number {
  const { baseRatePerMinute, incrementFactor, rateIncreaseCriteria } = ramp.exponentialRate
  return Array.from({ length: devices }, (_, index) => {
    const steps = Math.floor(index / rateIncreaseCriteria.numberOfNotifiedThings)
    return 60 / Math.min(ramp.maximumPerMinute, baseRatePerMinute * incrementFactor ** steps)
  }).reduce((sum, seconds) => sum + seconds, 0)
}

/** How many devices were called earlier than the curve and half a second allow: none, as their clocks agree within that. */
export function tooEarly(times: readonly number[]): number {
  const [first = 0] = times
  return times.filter((time, index) => time - first < 0.9 * curveSeconds(index) - 1).length
}
