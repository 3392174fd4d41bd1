import { queueNames, queueStates } from '@muster/bus'
import { hubGauge, onDemand } from './declare.ts'
import { openStatuses, workStates } from './words.ts'

/** The hub as a whole. */
export const hubMetrics = {
  muster_jobs: hubGauge('Jobs that have not ended, by status; 10,000 at most are counted', { status: openStatuses }),
  muster_jobs_overdue: hubGauge('Running jobs whose window is over', {}),
  muster_jobs_paused: onDemand(
    'Are jobs paused, and how many after a stop?',
    hubGauge('Jobs of any status that are paused', {}),
  ),
  muster_work: hubGauge(
    'Devices of running jobs: ready for a first attempt, due for a later one, under way, or waiting for their connection or their time. Each count stops after 2,000 chunks or 10,000 device jobs',
    { state: workStates },
  ),
  muster_work_oldest_ready_seconds: hubGauge(
    'For how long the oldest work could have been done, of jobs without limits of their own; 0 if there is none',
    {},
  ),
  muster_job_integrity_violations: hubGauge(
    'Faults of the hub in jobs: ended ones with open chunks, work of workers that are long gone, counters that their rows do not have. A sample',
    {},
  ),
  muster_webhook_deliveries: hubGauge(
    'Events that wait for their next try, and dead ones, by state. Of each webhook 1,000 are counted',
    { state: ['pending', 'dead'] },
  ),
  muster_webhook_oldest_pending_seconds: hubGauge(
    'For how long the oldest event that a webhook still has to get has waited; 0 if there is none',
    {},
  ),
  muster_gateways: hubGauge('Live gateways', {}),
  muster_workers: hubGauge('Live workers', {}),
  muster_workers_needed: hubGauge(
    'The load of the hub in workers, not rounded: what /internal/scaling tells of them, by the settings of the dispatcher',
    {},
  ),
  muster_schema_version: hubGauge('Migrations that the database has', {}),
  muster_partitions_ahead: hubGauge('Weeks after this one that have their partitions', {}),
  muster_database_bytes: hubGauge('Size of the database on disk', {}),
  muster_queue_jobs: hubGauge('Wake-ups in the queues, by queue and state', { queue: queueNames, state: queueStates }),
  muster_redis_noeviction: hubGauge('Whether Redis evicts no key: 1 or 0', {}),
  muster_redis_memory_bytes: hubGauge('Memory that Redis uses', {}),
  muster_redis_memory_limit_bytes: hubGauge('Memory that Redis may use; 0: there is no limit', {}),
}
