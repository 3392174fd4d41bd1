import type { Hub } from '@muster/runtime'
import type { Attempts } from './attempts.ts'

/** The things that the functions of this role share. */
export interface WorkerHub extends Pick<Hub, 'db' | 'bus' | 'clock' | 'events' | 'metrics' | 'throttles' | 'tracing'> {
  readonly attempts: Attempts
}
