import type { JobType } from '@muster/contract'
import { type HubLoad, loadHorizonMs } from '@muster/store'
import type { Config } from '../config/config.ts'

/** How much one worker process carries, as it is set in the process that answers: all of a hub should have the same settings. */
export type WorkerCapacity = Pick<Config, 'callsInFlight' | 'workerConcurrency'> & {
  readonly throttles: Pick<Config['throttles'], 'jobDeviceOperations'>
}

/**
 * Twins that a worker patches in a polling period of 15 s, for each wake-up that it works on: 100 chunks of 1,000. With eight wake-ups
 * that is 53,000 a second; a worker with a Postgres beside it on two cores did 66,000. So a twin job that would be over before another
 * worker has started asks for none.
 */
const twinsPerWakeUp = 100_000

/** How many devices one worker has in hand, or is through with in a polling period. */
const carriedByOne: Readonly<Record<JobType, (capacity: WorkerCapacity) => number>> = {
  scheduleDeviceMethod: ({ callsInFlight }) => callsInFlight,
  scheduleUpdateTwin: ({ workerConcurrency }) => workerConcurrency * twinsPerWakeUp,
}

/**
 * The load of the hub in workers, not rounded: who scales rounds up. At least what is leased. The throttle of all jobs counts as the
 * limits of each job do: what it does not permit within the horizon asks for no worker.
 */
export function workersNeeded({ ready, leased }: Omit<HubLoad, 'connections'>, capacity: WorkerCapacity): number {
  const works = Object.entries(carriedByOne).map(([type, carried]) => ({
    devices: devicesOf(ready, type),
    carried: carried(capacity),
  }))
  const devices = works.reduce((sum, work) => sum + work.devices, 0)
  const permitted = Math.min(1, permittedDevices(capacity) / Math.max(1, devices))
  const startable = works.reduce((sum, work) => sum + (work.devices * permitted) / work.carried, 0)
  return leased / capacity.callsInFlight + startable
}

function devicesOf(ready: Readonly<Record<string, number>>, type: string): number {
  return ready[type] ?? 0
}

function permittedDevices({ throttles }: WorkerCapacity): number {
  const rate = throttles.jobDeviceOperations
  return rate === undefined ? Number.POSITIVE_INFINITY : (rate.tokens * loadHorizonMs) / rate.perMs
}
