import type { DashboardSpec } from './dashboard.ts'
import { of, perSecond, quantile, total } from './promql.ts'

export const api: DashboardSpec = {
  uid: 'muster-api',
  title: 'API',
  description: 'The service API: who asks for what, how fast it answers, and what it refuses.',
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          kind: 'lines',
          title: 'Requests by route',
          description: 'Of the service API.',
          unit: 'reqps',
          isStacked: true,
          queries: [{ expr: perSecond('muster_requests_total', 'route'), legend: '{{route}}' }],
        },
        {
          kind: 'lines',
          title: 'Errors of the hub',
          description:
            'The share of requests that are answered with 5xx. The promise is 0.1 % over 30 days: MusterApiErrors.',
          unit: 'percentunit',
          redFrom: 0.001,
          queries: [
            {
              expr: `(${perSecond('muster_requests_total', '', 'class="5xx"')} or vector(0)) / ${perSecond('muster_requests_total')}`,
              legend: '5xx',
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Duration',
          description: 'Of requests. A direct method waits for its device.',
          unit: 's',
          queries: [
            { expr: quantile(0.5, 'muster_request_served_seconds'), legend: 'half of them' },
            { expr: quantile(0.99, 'muster_request_served_seconds'), legend: '99 of 100' },
          ],
        },
        {
          kind: 'lines',
          title: 'Slowest routes',
          description: 'The five routes whose slowest requests, one of 100, take longest.',
          unit: 's',
          queries: [
            { expr: `topk(5, ${quantile(0.99, 'muster_request_served_seconds', 'route')})`, legend: '{{route}}' },
          ],
        },
        {
          kind: 'lines',
          title: 'Requests in flight',
          description: 'Not answered yet.',
          unit: 'short',
          queries: [{ expr: total('muster_requests_in_flight', 'instance'), legend: '{{instance}}' }],
        },
        {
          kind: 'lines',
          title: 'Refused requests',
          description: 'By error code.',
          unit: 'reqps',
          isStacked: true,
          queries: [{ expr: perSecond('muster_request_refused_total', 'code'), legend: '{{code}}' }],
        },
        {
          kind: 'lines',
          title: 'Throttled',
          description: 'Operations above their rate.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_throttled_total', 'throttle'), legend: '{{throttle}}' }],
        },
        {
          kind: 'lines',
          title: 'Listeners',
          description: 'Open streams of events of jobs. A process takes 2,000.',
          unit: 'short',
          queries: [{ expr: total('muster_event_listeners', 'instance'), legend: '{{instance}}' }],
        },
        {
          kind: 'lines',
          title: 'Ended streams of events',
          description: 'By reason. slow: the reader lagged. failed: the hub could not read the events.',
          unit: 'ops',
          isStacked: true,
          queries: [{ expr: perSecond('muster_event_stream_ended_total', 'reason'), legend: '{{reason}}' }],
        },
        {
          kind: 'lines',
          title: 'Events told',
          description: 'Events of jobs, once for each listener.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_job_events_told_total'), legend: 'events' }],
        },
        {
          kind: 'lines',
          title: 'Processor time',
          description: 'Of each process, in cores.',
          unit: 'none',
          queries: [
            {
              expr: `sum by (instance) (rate(${of('process_cpu_seconds_total')}[$__rate_interval]))`,
              legend: '{{instance}}',
            },
          ],
        },
      ],
    },
  ],
}
