import { z } from 'zod'

/** Devices a minute. The most is 10,000 in a second, which is more than a hub does. */
const perMinute = z.int().min(1).max(600_000)
const inFlight = z.int().min(1).max(1_000_000)
const things = z.int().min(1).max(1_000_000)

/** A rate that rises: by `incrementFactor` each time that so many devices more were called, or have succeeded. As AWS IoT has it. */
const exponentialRate = z.object({
  baseRatePerMinute: perMinute,
  incrementFactor: z.number().min(1.1).max(5),
  rateIncreaseCriteria: z
    .object({ numberOfNotifiedThings: things.exactOptional(), numberOfSucceededThings: things.exactOptional() })
    .refine(
      (criteria) => Object.keys(criteria).length === 1,
      'an object with either numberOfNotifiedThings or numberOfSucceededThings',
    ),
})

export type ExponentialRate = z.output<typeof exponentialRate>

/** How fast a job goes: devices a minute, from how many on, and devices in flight. */
export const ratesShape = {
  maximumPerMinute: perMinute.exactOptional(),
  exponentialRate: exponentialRate.exactOptional(),
  maximumInFlight: inFlight.exactOptional(),
}

/** The same of a running job: null takes a limit away. */
export const changedRatesShape = {
  maximumPerMinute: perMinute.nullable().exactOptional(),
  exponentialRate: exponentialRate.nullable().exactOptional(),
  maximumInFlight: inFlight.nullable().exactOptional(),
}

interface Rates {
  readonly maximumPerMinute?: number
  readonly exponentialRate?: ExponentialRate
}

/** A rate that rises has an end. */
export const endsRising = {
  check: ({ maximumPerMinute, exponentialRate }: Rates) =>
    exponentialRate === undefined || maximumPerMinute !== undefined,
  rule: { path: ['maximumPerMinute'], message: 'given beside exponentialRate' },
}

export const beginsBelowEnd = {
  check: ({ maximumPerMinute, exponentialRate }: Rates) =>
    exponentialRate === undefined || exponentialRate.baseRatePerMinute <= (maximumPerMinute ?? 0),
  rule: { path: ['exponentialRate', 'baseRatePerMinute'], message: 'at most maximumPerMinute' },
}
