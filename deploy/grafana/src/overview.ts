import type { DashboardSpec } from './dashboard.ts'
import { of, ofHub, perSecond, quantile, total } from './promql.ts'

export const overview: DashboardSpec = {
  uid: 'muster-overview',
  title: 'Overview',
  description:
    'Is the hub well? The objectives are in docs/operations/objectives.md, what to do in docs/operations/runbook.md.',
  rows: [
    {
      title: 'Now',
      panels: [
        {
          kind: 'stat',
          title: 'Alerts that fire',
          description: 'By name. Each has an entry in docs/operations/runbook.md.',
          unit: 'none',
          redFrom: 1,
          queries: [
            {
              expr: 'count by (alertname) (ALERTS{alertname=~"Muster.+",alertstate="firing"}) or on () label_replace(vector(0), "alertname", "none", "", "")',
              legend: '{{alertname}}',
            },
          ],
        },
        {
          kind: 'stat',
          title: 'Running jobs',
          description: 'Jobs that have started and have not ended. Those that wait for devices count too.',
          unit: 'none',
          queries: [{ expr: ofHub('muster_jobs', '', 'status="running"'), legend: 'running' }],
        },
        {
          kind: 'stat',
          title: 'Queued and scheduled jobs',
          description: 'Jobs that wait for their start time or for a place.',
          unit: 'none',
          queries: [{ expr: 'sum(max by (status) (muster_jobs{status=~"queued|scheduled"}))', legend: 'waiting' }],
        },
        {
          kind: 'stat',
          title: 'Oldest ready work',
          description:
            'For how long the oldest work is ready and nobody has claimed it. Above a minute, with free workers: MusterWorkStandsStill.',
          unit: 's',
          redFrom: 60,
          queries: [{ expr: ofHub('muster_work_oldest_ready_seconds'), legend: 'oldest' }],
        },
        {
          kind: 'stat',
          title: 'Connected devices',
          description: 'Over all gateways.',
          unit: 'short',
          queries: [{ expr: 'sum(muster_devices_connected)', legend: 'devices' }],
        },
        {
          kind: 'stat',
          title: 'Processes',
          description: 'Processes that Prometheus reaches, by role. A process may have several roles.',
          unit: 'none',
          redBelow: 1,
          queries: [{ expr: orNone('count by (role) (muster_role_info)'), legend: '{{role}}' }],
        },
      ],
    },
    {
      title: 'Objectives over 30 days',
      panels: [
        {
          kind: 'stat',
          title: 'Error budget: starts in time',
          description:
            'What is left of the 1 % of jobs that may start more than 2 s late. Below 0 the promise is broken.',
          unit: 'percentunit',
          redBelow: 0.1,
          queries: [
            {
              expr: '1 - (1 - sum(increase(muster_job_start_lag_seconds_bucket{le="2"}[30d])) / sum(increase(muster_job_start_lag_seconds_count[30d]))) / 0.01',
              legend: 'left',
            },
          ],
        },
        {
          kind: 'stat',
          title: 'Error budget: answers',
          description: 'What is left of the 0.1 % of requests that may be answered with 5xx.',
          unit: 'percentunit',
          redBelow: 0.1,
          queries: [
            {
              expr: '1 - (sum(increase(muster_requests_total{class="5xx"}[30d])) or vector(0)) / sum(increase(muster_requests_total[30d])) / 0.001',
              legend: 'left',
            },
          ],
        },
        {
          kind: 'stat',
          title: 'Error budget: cancels',
          description: 'What is left of the 0.1 % of calls after a cancel that may come more than 2 s later.',
          unit: 'percentunit',
          redBelow: 0.1,
          queries: [
            {
              expr: '1 - (1 - (sum(increase(muster_cancel_lag_seconds_bucket{le="2"}[30d])) / (sum(increase(muster_cancel_lag_seconds_count[30d])) > 0) or vector(1))) / 0.001',
              legend: 'left',
            },
          ],
        },
      ],
    },
    {
      title: 'Work',
      panels: [
        {
          kind: 'lines',
          title: 'Device outcomes',
          description: 'What became of attempts on devices.',
          unit: 'ops',
          isStacked: true,
          queries: [{ expr: perSecond('muster_device_jobs_recorded_total', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          kind: 'lines',
          title: 'Start lag',
          description:
            'From the start time of a job to its first claim. The promise is 2 s for 99 of 100 jobs: MusterLateStarts.',
          unit: 's',
          redFrom: 2,
          queries: [
            { expr: quantile(0.5, 'muster_job_start_lag_seconds'), legend: 'half of the jobs' },
            { expr: quantile(0.99, 'muster_job_start_lag_seconds'), legend: '99 of 100' },
          ],
        },
        {
          kind: 'lines',
          title: 'Devices of running jobs',
          description:
            'Ready: can be claimed. Leased: a worker has it. Due: to be tried again now. Waiting: for its device. Counted up to a bound.',
          unit: 'short',
          isStacked: true,
          queries: [{ expr: ofHub('muster_work', 'state'), legend: '{{state}}' }],
        },
        {
          kind: 'lines',
          title: 'Requests',
          description: 'Of the service API, by class of their status.',
          unit: 'reqps',
          isStacked: true,
          queries: [{ expr: perSecond('muster_requests_total', 'class'), legend: '{{class}}' }],
        },
        {
          kind: 'lines',
          title: 'Connections',
          description: 'Devices that are connected, by gateway.',
          unit: 'short',
          isStacked: true,
          queries: [{ expr: total('muster_devices_connected', 'instance'), legend: '{{instance}}' }],
        },
        {
          kind: 'lines',
          title: 'Faults',
          description: 'What met a bug or lost infrastructure. The log has an event of the same name, with the error.',
          unit: 'ops',
          queries: [
            { expr: perSecond('muster_request_failed_total'), legend: 'requestFailed' },
            { expr: perSecond('muster_device_job_failed_total'), legend: 'deviceJobFailed' },
            { expr: perSecond('muster_wake_up_failed_total'), legend: 'wakeUpFailed' },
            { expr: perSecond('muster_lease_renewal_failed_total'), legend: 'leaseRenewalFailed' },
            { expr: perSecond('muster_bus_failed_total'), legend: 'busFailed' },
            { expr: perSecond('muster_scrape_failed_total'), legend: 'scrapeFailed' },
            { expr: perSecond('muster_load_not_read_total'), legend: 'loadNotRead' },
            { expr: perSecond('muster_issuer_failed_total'), legend: 'issuerFailed' },
            { expr: perSecond('muster_job_feed_failed_total'), legend: 'jobFeedFailed' },
            { expr: perSecond('muster_certificate_refused_total'), legend: 'certificateRefused' },
            { expr: perSecond('muster_connection_not_accepted_total'), legend: 'connectionNotAccepted' },
          ],
        },
        {
          kind: 'lines',
          title: 'Readiness lost',
          description: 'By check. A balancer sends nothing to a process that is not ready.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_readiness_lost_total', 'check'), legend: '{{check}}' }],
        },
        {
          kind: 'lines',
          title: 'Age of processes',
          description: 'A line that falls to 0 is a restart.',
          unit: 's',
          queries: [
            {
              expr: `time() - max by (instance) (${of('process_start_time_seconds')})`,
              legend: '{{instance}}',
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Memory',
          description: 'Resident memory of each process.',
          unit: 'bytes',
          queries: [{ expr: total('process_resident_memory_bytes', 'instance'), legend: '{{instance}}' }],
        },
      ],
    },
  ],
}

/** A role of which no process is left has no series: it gets a 0, which is red. */
function orNone(byRole: string): string {
  const none = ['api', 'dispatcher', 'worker', 'gateway'].map(
    (role) => `label_replace(vector(0), "role", "${role}", "", "")`,
  )
  return [byRole, ...none].join(' or ')
}
