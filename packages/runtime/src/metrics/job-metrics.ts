import { errorNames, jobTypes } from '@muster/contract'
import { sweepNames } from '@muster/store'
import { jobSeconds, lagSeconds, shortSeconds, waitSeconds } from './buckets.ts'
import { counter, gauge, histogram, knownGauge, onDemand } from './declare.ts'
import { endStatuses, recordedOutcomes, tryOutcomes } from './words.ts'

/** Jobs, the workers that carry them out, and the dispatchers that repair them. */
export const jobMetrics = {
  muster_job_seconds: histogram(
    'Jobs that have ended, from their start to their end, by type and status',
    { type: jobTypes, status: endStatuses },
    jobSeconds,
  ),
  muster_job_start_lag_seconds: histogram(
    'Jobs, from the time at which they were to start to the claim of their first devices, by type',
    { type: jobTypes },
    lagSeconds,
  ),
  muster_device_jobs_recorded_total: counter('Device jobs recorded, by type and outcome', {
    type: jobTypes,
    outcome: recordedOutcomes,
  }),
  muster_device_jobs_failed_total: counter('Device jobs recorded as failed, by type and error code', {
    type: jobTypes,
    code: errorNames,
  }),
  muster_delivery_total: counter('Calls of direct methods that devices got', {}),
  muster_call_expired_total: counter('Calls that came too late for their device, or whose job was cancelled', {}),
  muster_cancel_lag_seconds: histogram(
    'Calls that devices got after their job was cancelled, from the cancel on',
    {},
    lagSeconds,
  ),
  muster_worker_calls_in_flight: gauge('Devices that this worker calls, or has reserved a place for', {}),
  muster_worker_calls_limit: gauge('Devices that this worker may call at the same time', {}),
  muster_worker_jobs_without_answers: gauge(
    'Jobs of which a device did not answer this worker in the last five minutes',
    {},
  ),
  muster_webhook_tries_total: counter(
    'Tries to send an event to a webhook, by outcome: accepted, failed and put off, or failed and dead',
    { outcome: tryOutcomes },
  ),
  muster_webhook_try_seconds: histogram('Calls of webhooks that were answered or not', {}, waitSeconds),
  muster_schedule_times_missed_total: onDemand(
    'How many runs of schedules were missed?',
    counter('Times of schedules that passed while no dispatcher was there', {}),
  ),
  muster_sweep_repaired_total: counter('Rows repaired, by sweep', { sweep: sweepNames }),
  muster_sweep_age_seconds: knownGauge(
    'How long ago this dispatcher last ended a pass that succeeded, by sweep; before its first, how long ago it began. Any dispatcher sweeps for the whole hub, so take the minimum',
    { sweep: sweepNames },
  ),
  muster_sweep_seconds: histogram('Passes of sweeps that succeeded, by sweep', { sweep: sweepNames }, shortSeconds),
}
