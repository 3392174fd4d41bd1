import type { DashboardSpec } from './dashboard.ts'
import { of, ofHub, perSecond, quantile, total } from './promql.ts'

export const stores: DashboardSpec = {
  uid: 'muster-stores',
  title: 'Stores',
  description: 'Postgres, Redis, the queues, the sweeps and the time of the hub.',
  rows: [
    {
      title: 'Postgres',
      panels: [
        {
          kind: 'lines',
          title: 'Connections in use',
          description:
            'Of the pools of each process, how many they may have, and how many statements wait for one: MusterPostgresTrouble.',
          unit: 'none',
          queries: [
            { expr: total('muster_postgres_pool_used', 'instance'), legend: '{{instance}} used' },
            { expr: total('muster_postgres_pool_size', 'instance'), legend: '{{instance}} may have' },
            { expr: total('muster_postgres_pool_waiting', 'instance'), legend: '{{instance}} waiting' },
          ],
        },
        {
          kind: 'lines',
          title: 'Wait for a connection',
          description: '99 of 100 statements wait no longer.',
          unit: 's',
          queries: [{ expr: quantile(0.99, 'muster_postgres_pool_wait_seconds'), legend: '99 of 100' }],
        },
        {
          kind: 'lines',
          title: 'Hot statements',
          description: 'How long each takes, on average.',
          unit: 's',
          queries: [
            {
              expr: `${perSecond('muster_statement_seconds_sum', 'name')} / ${perSecond('muster_statement_seconds_count', 'name')}`,
              legend: '{{name}}',
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Size of the database',
          description: 'Ended jobs are kept for MUSTER_HISTORY_DAYS.',
          unit: 'bytes',
          queries: [{ expr: ofHub('muster_database_bytes'), legend: 'database' }],
        },
        {
          kind: 'stat',
          title: 'Weeks with partitions',
          description: 'For how many weeks to come there are partitions. Below 1: MusterPostgresTrouble.',
          unit: 'none',
          redBelow: 1,
          queries: [{ expr: ofHub('muster_partitions_ahead'), legend: 'weeks' }],
        },
        {
          kind: 'stat',
          title: 'Version of the schema',
          description: 'The number of migrations that the database has.',
          unit: 'none',
          queries: [{ expr: ofHub('muster_schema_version'), legend: 'migrations' }],
        },
      ],
    },
    {
      title: 'Redis and queues',
      panels: [
        {
          kind: 'lines',
          title: 'Answer of Redis',
          description: 'Of a write and a question, from each process.',
          unit: 's',
          queries: [{ expr: `max by (instance) (${of('muster_redis_ping_seconds')})`, legend: '{{instance}}' }],
        },
        {
          kind: 'lines',
          title: 'Memory of Redis',
          description: 'It holds wake-ups only. Above 80 % of its limit: MusterRedisOrTimeTrouble.',
          unit: 'bytes',
          queries: [
            { expr: ofHub('muster_redis_memory_bytes'), legend: 'used' },
            { expr: ofHub('muster_redis_memory_limit_bytes'), legend: 'limit, 0: none' },
          ],
        },
        {
          kind: 'lines',
          title: 'Wake-ups in the queues',
          description: 'By queue and state. Delayed: for jobs that start later.',
          unit: 'short',
          queries: [{ expr: ofHub('muster_queue_jobs', 'queue, state'), legend: '{{queue}} {{state}}' }],
        },
        {
          kind: 'lines',
          title: 'Wake-ups lost',
          description: 'Redis did not take them. A sweep repairs it, about a second later: MusterSweepsRepair.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_wake_up_lost_total', 'kind'), legend: '{{kind}}' }],
        },
      ],
    },
    {
      title: 'Sweeps and time',
      panels: [
        {
          kind: 'lines',
          title: 'Rows repaired',
          description: 'By sweep. What repairs all the time hides a fault: MusterSweepsRepair.',
          unit: 'ops',
          isStacked: true,
          queries: [{ expr: perSecond('muster_sweep_repaired_total', 'sweep'), legend: '{{sweep}}' }],
        },
        {
          kind: 'lines',
          title: 'Duration of a pass',
          description: 'Of each sweep, on average.',
          unit: 's',
          queries: [
            {
              expr: `${perSecond('muster_sweep_seconds_sum', 'sweep')} / ${perSecond('muster_sweep_seconds_count', 'sweep')}`,
              legend: '{{sweep}}',
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Age of sweeps',
          description:
            'How long ago any dispatcher last ended a pass of each. Above a minute: MusterSweepsRepair. It also watches purgeHistory, which runs each hour and is not here.',
          unit: 's',
          redFrom: 60,
          queries: [
            {
              expr: 'min by (sweep) (muster_sweep_age_seconds{sweep!="purgeHistory"})',
              legend: '{{sweep}}',
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Sweeps that failed',
          description: 'By sweep. The log has sweepFailed with the error.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_sweep_failed_total', 'sweep'), legend: '{{sweep}}' }],
        },
        {
          kind: 'lines',
          title: 'Clocks',
          description: 'How far the clock of each machine is ahead of that of Postgres. It does no harm.',
          unit: 's',
          queries: [{ expr: `max by (instance) (${of('muster_clock_offset_seconds')})`, legend: '{{instance}}' }],
        },
        {
          kind: 'lines',
          title: 'Error of the time',
          description:
            'By how much the time of the hub may be wrong. Above 0.25 s: MusterRedisOrTimeTrouble. Above 0.5 s nothing is claimed.',
          unit: 's',
          redFrom: 0.25,
          queries: [{ expr: `max by (instance) (${of('muster_clock_error_seconds')})`, legend: '{{instance}}' }],
        },
        {
          kind: 'lines',
          title: 'Days to the end of the certificate',
          description: 'Below 14: MusterRedisOrTimeTrouble.',
          unit: 'd',
          redBelow: 14,
          queries: [
            {
              expr: 'min by (instance) ((muster_certificate_expiry_timestamp_seconds - time()) / 86400)',
              legend: '{{instance}}',
            },
          ],
        },
      ],
    },
  ],
}
