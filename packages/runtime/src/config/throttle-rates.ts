import type { BucketRate } from '@muster/bus'

/** The throttles, by their names in the documents of Azure IoT Hub, which has no `jobEvents`. */
export const throttleNames = [
  'jobOperations',
  'jobDeviceOperations',
  'twinReads',
  'twinUpdates',
  'directMethods',
  'queries',
  'registryOperations',
  'newConnections',
  'jobEvents',
] as const
export type ThrottleName = (typeof throttleNames)[number]

/** A throttle without a rate is not limited. */
export type ThrottleRates = Readonly<Partial<Record<ThrottleName, BucketRate>>>

const unitsMax = 1_000

/**
 * The rates of `S1`, `S2` or `S3`, times the units in `S2x3`, or other rates: `{"twinReads":"100/s","queries":"20/min"}`. Null: the
 * text is none of these.
 */
export function parseThrottleRates(text: string): ThrottleRates | null {
  const [, tier, units = '1'] = /^S([123])(?:x(\d{1,4}))?$/i.exec(text) ?? []
  if (tier === undefined) return ownRates(text)
  const isInBounds = Number(units) >= 1 && Number(units) <= unitsMax
  return isInBounds ? toRates(tiers[`S${tier}`]?.(Number(units)) ?? {}) : null
}

/**
 * The throttles of Azure IoT Hub by tier and number of units. A direct method counts once for each 4 KB of its request: 160 KB, 480 KB
 * and 24 MB a second for each unit. A thousand browsers that lose one process fit into the `jobEvents` of a minute.
 */
const tiers: Readonly<Record<string, (units: number) => Readonly<Record<ThrottleName, string>>>> = {
  S1: (units) => ({
    jobOperations: `${100 * units}/min`,
    jobDeviceOperations: '10/s',
    twinReads: '100/s',
    twinUpdates: '50/s',
    directMethods: `${40 * units}/s`,
    queries: `${20 * units}/min`,
    registryOperations: `${100 * units}/min`,
    newConnections: `${Math.max(100, 12 * units)}/s`,
    jobEvents: `${1_000 * units}/min`,
  }),
  S2: (units) => ({
    jobOperations: `${100 * units}/min`,
    jobDeviceOperations: `${Math.max(10, units)}/s`,
    twinReads: `${Math.max(100, 10 * units)}/s`,
    twinUpdates: `${Math.max(50, 5 * units)}/s`,
    directMethods: `${120 * units}/s`,
    queries: `${20 * units}/min`,
    registryOperations: `${100 * units}/min`,
    newConnections: `${120 * units}/s`,
    jobEvents: `${1_000 * units}/min`,
  }),
  S3: (units) => ({
    jobOperations: `${5_000 * units}/min`,
    jobDeviceOperations: `${50 * units}/s`,
    twinReads: `${500 * units}/s`,
    twinUpdates: `${250 * units}/s`,
    directMethods: `${6_000 * units}/s`,
    queries: `${1_000 * units}/min`,
    registryOperations: `${5_000 * units}/min`,
    newConnections: `${6_000 * units}/s`,
    jobEvents: `${5_000 * units}/min`,
  }),
}

function ownRates(text: string): ThrottleRates | null {
  try {
    const given: unknown = JSON.parse(text)
    return typeof given === 'object' && given !== null && !Array.isArray(given) ? toRates(given) : null
  } catch {
    return null
  }
}

function toRates(texts: object): ThrottleRates | null {
  const rates: Partial<Record<ThrottleName, BucketRate>> = {}
  for (const [key, value] of Object.entries(texts)) {
    const name = throttleNames.find((known) => known === key)
    const rate = parseRate(value)
    if (name === undefined || rate === null) return null
    rates[name] = rate
  }
  return rates
}

function parseRate(text: unknown): BucketRate | null {
  const [, tokens, period] = /^([1-9]\d{0,8})\/(s|min)$/.exec(String(text)) ?? []
  if (tokens === undefined) return null
  return { tokens: Number(tokens), perMs: period === 's' ? 1_000 : 60_000 }
}
