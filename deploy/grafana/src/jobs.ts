import type { DashboardSpec } from './dashboard.ts'
import { of, ofHub, perSecond, quantile, total } from './promql.ts'

export const jobs: DashboardSpec = {
  uid: 'muster-jobs',
  title: 'Jobs and workers',
  description: 'How jobs run, and what the workers do.',
  rows: [
    {
      title: 'Jobs',
      panels: [
        {
          kind: 'lines',
          title: 'Jobs by status',
          description: 'Jobs that have not ended.',
          unit: 'none',
          queries: [{ expr: ofHub('muster_jobs', 'status'), legend: '{{status}}' }],
        },
        {
          kind: 'lines',
          title: 'Jobs created, started and cancelled',
          description: 'By callers, and by the hub when they are due.',
          unit: 'ops',
          queries: [
            { expr: perSecond('muster_job_created_total'), legend: 'created' },
            { expr: perSecond('muster_job_started_total'), legend: 'started' },
            { expr: perSecond('muster_job_cancelled_total'), legend: 'cancelled' },
          ],
        },
        {
          kind: 'lines',
          title: 'Jobs ended',
          description: 'By type and status.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_job_ended_total', 'type, status'), legend: '{{type}} {{status}}' }],
        },
        {
          kind: 'lines',
          title: 'Duration of jobs',
          description: 'From the start to the end, for half of the jobs.',
          unit: 's',
          queries: [{ expr: quantile(0.5, 'muster_job_seconds', 'type'), legend: '{{type}}' }],
        },
        {
          kind: 'lines',
          title: 'Jobs past their window',
          description: 'Running jobs whose window has ended. More than none for a minute: MusterJobOverdue.',
          unit: 'none',
          redFrom: 1,
          queries: [{ expr: ofHub('muster_jobs_overdue'), legend: 'overdue' }],
        },
        {
          kind: 'lines',
          title: 'Rows that contradict one another',
          description: 'Must be 0: MusterIntegrityViolation.',
          unit: 'none',
          redFrom: 1,
          queries: [{ expr: ofHub('muster_job_integrity_violations'), legend: 'violations' }],
        },
        {
          kind: 'lines',
          title: 'Cancel lag',
          description: 'From the answer to a cancel to each call that was handed over after it. The promise is 2 s.',
          unit: 's',
          redFrom: 2,
          queries: [{ expr: `${quantile(0.99, 'muster_cancel_lag_seconds')} >= 0 or vector(0)`, legend: '99 of 100' }],
        },
      ],
    },
    {
      title: 'Devices',
      panels: [
        {
          kind: 'lines',
          title: 'Outcomes by type',
          description: 'Attempts on devices that were recorded.',
          unit: 'ops',
          isStacked: true,
          queries: [
            { expr: perSecond('muster_device_jobs_recorded_total', 'type, outcome'), legend: '{{type}} {{outcome}}' },
          ],
        },
        {
          kind: 'lines',
          title: 'Failures by code',
          description: 'Devices that ended as failed, by error code.',
          unit: 'ops',
          isStacked: true,
          queries: [
            { expr: `${perSecond('muster_device_jobs_failed_total', 'code')} > 0 or vector(0)`, legend: '{{code}}' },
          ],
        },
        {
          kind: 'lines',
          title: 'Round trip of direct methods',
          description: 'From the message to the device to its answer, or to the end of the wait.',
          unit: 's',
          queries: [
            { expr: quantile(0.5, 'muster_method_invoked_seconds'), legend: 'half of them' },
            { expr: quantile(0.99, 'muster_method_invoked_seconds'), legend: '99 of 100' },
          ],
        },
        {
          kind: 'lines',
          title: 'Direct methods by outcome',
          description: 'Many without an answer, of several jobs: MusterDevicesDoNotAnswer.',
          unit: 'ops',
          isStacked: true,
          queries: [{ expr: perSecond('muster_method_invoked_seconds_count', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          kind: 'lines',
          title: 'Calls delivered and expired',
          description: 'Delivered: written to the connection of the device. Expired: too late, and not delivered.',
          unit: 'ops',
          queries: [
            { expr: perSecond('muster_delivery_total'), legend: 'delivered' },
            { expr: perSecond('muster_call_expired_total'), legend: 'expired' },
          ],
        },
        {
          kind: 'lines',
          title: 'Jobs without answers',
          description:
            'Jobs of which a device did not answer in the last five minutes, by worker. From 3 on one worker: MusterDevicesDoNotAnswer.',
          unit: 'none',
          redFrom: 3,
          queries: [
            { expr: `max by (instance) (${of('muster_worker_jobs_without_answers')})`, legend: '{{instance}}' },
          ],
        },
      ],
    },
    {
      title: 'Webhooks',
      panels: [
        {
          kind: 'lines',
          title: 'Webhook tries by outcome',
          description: 'Events that were accepted, put off, or given up after a day: MusterWebhookDeadLetters.',
          unit: 'ops',
          isStacked: true,
          queries: [{ expr: perSecond('muster_webhook_tries_total', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          kind: 'lines',
          title: 'Events for webhooks',
          description: 'Events that wait for their next try, and dead ones. A replay sends those again.',
          unit: 'none',
          queries: [{ expr: ofHub('muster_webhook_deliveries', 'state'), legend: '{{state}}' }],
        },
        {
          kind: 'lines',
          title: 'Oldest event for a webhook',
          description: 'For how long the oldest one has waited. Above an hour: MusterWebhookLate.',
          unit: 's',
          redFrom: 3600,
          queries: [{ expr: ofHub('muster_webhook_oldest_pending_seconds'), legend: 'oldest' }],
        },
        {
          kind: 'lines',
          title: 'Answers of webhooks',
          description: 'How long calls took, with those that nobody answered: 10 s at most.',
          unit: 's',
          queries: [
            { expr: quantile(0.5, 'muster_webhook_try_seconds'), legend: 'half of them' },
            { expr: quantile(0.99, 'muster_webhook_try_seconds'), legend: '99 of 100' },
          ],
        },
        {
          kind: 'lines',
          title: 'Rounds of webhooks that failed',
          description: 'Postgres was lost, or there is a bug: webhooksFailed in the log.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_webhooks_failed_total'), legend: 'failed' }],
        },
      ],
    },
    {
      title: 'Workers',
      panels: [
        {
          kind: 'lines',
          title: 'Calls in flight',
          description: 'Device calls that workers wait for, and how many they may wait for.',
          unit: 'short',
          queries: [
            { expr: total('muster_worker_calls_in_flight', 'instance'), legend: '{{instance}}' },
            { expr: total('muster_worker_calls_limit'), legend: 'limit of all' },
          ],
        },
        {
          kind: 'lines',
          title: 'Live workers and gateways',
          description:
            'Of the whole hub, by their leases and signs of life in Postgres, and how many workers its work would keep busy.',
          unit: 'none',
          queries: [
            { expr: ofHub('muster_workers'), legend: 'workers' },
            { expr: ofHub('muster_workers_needed'), legend: 'workers needed' },
            { expr: ofHub('muster_gateways'), legend: 'gateways' },
          ],
        },
        {
          kind: 'lines',
          title: 'Claims lost',
          description: 'Outcomes that came after the lease of their worker had ended: MusterClaimsLost.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_claim_lost_total', 'type'), legend: '{{type}}' }],
        },
        {
          kind: 'lines',
          title: 'Rows written together',
          description: 'How many rows one statement has written, on average.',
          unit: 'short',
          queries: [
            {
              expr: `${perSecond('muster_group_commit_size_sum', 'write')} / (${perSecond('muster_group_commit_size_count', 'write')} > 0) or vector(0)`,
              legend: '{{write}}',
            },
          ],
        },
      ],
    },
  ],
}
