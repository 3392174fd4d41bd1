import { z } from 'zod'

/** Devices a minute. The most is 10,000 in a second, which is more than a hub does. */
const perMinute = z.int().min(1).max(600_000)

/** How fast a job goes: devices a minute, and devices in flight. */
export const ratesShape = {
  maximumPerMinute: perMinute.exactOptional(),
  maximumInFlight: z.int().min(1).max(1_000_000).exactOptional(),
}
