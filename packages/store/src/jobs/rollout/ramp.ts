import type { ExponentialRate, Extensions } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'

/** What a job asks for as its rate, by the columns of its row. A rate that rises begins at its base. */
export function rateColumns({ maximumPerMinute, exponentialRate }: Rollout): RateColumns {
  const most = maximumPerMinute ?? null
  if (exponentialRate === undefined) return { ...noRamp, rate: most }
  const { baseRatePerMinute, incrementFactor, rateIncreaseCriteria } = exponentialRate
  const { numberOfNotifiedThings, numberOfSucceededThings } = rateIncreaseCriteria
  return {
    rate: baseRatePerMinute,
    base: baseRatePerMinute,
    factor: incrementFactor,
    every: numberOfNotifiedThings ?? numberOfSucceededThings ?? null,
    on: numberOfNotifiedThings === undefined ? 'succeeded' : 'notified',
    most,
  }
}

type Rollout = Pick<NonNullable<Extensions['rollout']>, 'maximumPerMinute'> & {
  readonly exponentialRate?: ExponentialRate
}

interface RateColumns {
  readonly rate: number | null
  readonly base: number | null
  readonly factor: number | null
  readonly every: number | null
  readonly on: 'notified' | 'succeeded' | null
  readonly most: number | null
}

const noRamp = { base: null, factor: null, every: null, on: null, most: null }

/** More steps than the smallest factor takes from the lowest rate to the highest. */
const mostSteps = 150

/** The rate of a row of `jobs` with a ramp, after so many devices. */
export function rampedRate(count: SQL): SQL {
  return sql`least(ramp_max, floor(ramp_base * ramp_factor ^ least(${mostSteps}::int, ((${count}) - ramp_from) / ramp_every)))::int`
}

/** How many devices of a row of `jobs` have succeeded. */
export const succeededDevices: SQL = sql.raw(
  '(select coalesce(sum(c.succeeded), 0)::int from chunks c where c.week = jobs.week and c.job_key = jobs.job_key)',
)
