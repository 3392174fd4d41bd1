import { jobTypes } from '@muster/contract'
import { sweepNames } from '@muster/store'
import { counter } from './declare.ts'
import { recordedOutcomes } from './words.ts'

/** Jobs, the workers that carry them out, and the dispatchers that repair them. */
export const jobMetrics = {
  muster_device_jobs_recorded_total: counter('Device jobs recorded, by type and outcome', {
    type: jobTypes,
    outcome: recordedOutcomes,
  }),
  muster_sweep_repaired_total: counter('Rows repaired, by sweep', { sweep: sweepNames }),
}
