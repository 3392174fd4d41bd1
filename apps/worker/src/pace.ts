import type { Throttles } from '@muster/runtime'

/** One bucket for the jobs of the whole hub. */
const account = 'jobs'

/**
 * Does work on devices at the rate of `jobDeviceOperations`: takes the tokens for `deviceCount` devices before anything is
 * claimed, and gives back those that were not used. Without tokens it does nothing, and the wake-up comes again `later`:
 * meanwhile the devices are pending, no lease runs, and the job can be cancelled. An attempt counts, whatever comes of it.
 */
export async function pace<Next>(
  throttles: Throttles,
  deviceCount: number,
  work: (countUsed: (devices: number) => void) => Promise<Next>,
): Promise<Next | 'later'> {
  const taken = Math.min(deviceCount, throttles.portionOf('jobDeviceOperations'))
  if ((await throttles.take('jobDeviceOperations', account, taken)) !== null) return 'later'
  let used = 0
  try {
    return await work((devices) => {
      used = devices
    })
  } finally {
    await throttles.charge('jobDeviceOperations', account, used - taken)
  }
}
