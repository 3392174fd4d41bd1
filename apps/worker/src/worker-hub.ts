import type { Hub } from '@muster/runtime'
import type { createAttempts } from './attempts.ts'

/** What the functions of this role share. */
export interface WorkerHub extends Pick<Hub, 'db' | 'bus' | 'clock' | 'events'> {
  /** Names this process' claims. New at each start. */
  readonly workerId: string
  readonly attempts: ReturnType<typeof createAttempts>
}

/** A claim outlives its worker by at most this long. Renewed while the worker lives, however slow its devices are. */
export const leaseMs = 15_000
