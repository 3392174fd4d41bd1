import { catalogue, eventMetrics } from '@muster/runtime'
import { sweepNames } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { exposedMetrics } from '../documents/exposed-metrics.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'
import { openWay, type Way } from '../way.ts'
import { complaintsOf, countSeries, valueIn } from './metrics-text.ts'

let hub: TestHub
let way: Way

/** Work of every kind: a twin job, a method job that is answered, and one that waits. */
beforeAll(async () => {
  hub = await startHub({
    reach: async ({ port }) => {
      way = await openWay(Number(port))
      return way.port
    },
  })
  await using fleet = await givenFleet(hub, { count: 5, prefix: 'm', tags: { floor: 3 } })
  await fleet.connect()
  const queryCondition = '*'
  await putJob(hub, 'twins', { type: 'scheduleUpdateTwin', queryCondition, updateTwin: { etag: '*', tags: { a: 1 } } })
  const cloudToDeviceMethod = { methodName: 'reboot', responseTimeoutInSeconds: 30 }
  await putJob(hub, 'methods', { type: 'scheduleDeviceMethod', queryCondition, cloudToDeviceMethod })
  await ending(hub, 'twins')
  await ending(hub, 'methods')
  await fleet.disconnect()
  await putJob(hub, 'waiting', { type: 'scheduleDeviceMethod', queryCondition, cloudToDeviceMethod })
  await reaching(hub, 'waiting', 'pendingCount', 5)
  await hub.request('GET', '/jobs/v2/unknown')
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await way[Symbol.asyncDispose]()
})

async function scrape(): Promise<string> {
  return (await fetch(`http://127.0.0.1:${hub.httpPort}/metrics`)).text()
}

describe('the metrics of a process with all roles', () => {
  it('are those of docs/metrics.md, by type and labels, and no others', async () => {
    const shown = exposedMetrics(await scrape())
    const declared = { ...catalogue, ...eventMetrics() }

    expect([...shown.keys()].filter((name) => name.startsWith('muster_')).toSorted()).toEqual(
      Object.keys(declared).toSorted(),
    )
    for (const [name, { kind, labels }] of Object.entries(declared)) {
      const metric = shown.get(name)
      expect([name, metric?.kind]).toEqual([name, kind])
      if (metric !== undefined && metric.series > 0) {
        expect([name, [...metric.labels].toSorted()]).toEqual([name, Object.keys(labels).toSorted()])
      }
    }
  })

  it('have words of the closed lists alone', async () => {
    const text = await scrape()

    for (const [name, { labels }] of Object.entries({ ...catalogue, ...eventMetrics() })) {
      for (const [label, words] of Object.entries(labels)) {
        if ('boundedBy' in words) continue
        const shown = [...text.matchAll(new RegExp(`^${name}(?:_\\w+)?\\{[^}]*\\b${label}="([^"]*)"`, 'gm'))]
        expect([name, label, shown.map(([, word]) => word).filter((word) => !words.includes(String(word)))]).toEqual([
          name,
          label,
          [],
        ])
      }
    }
  })

  it('are fewer than 2,000 series after work of every kind', async () => {
    expect(countSeries(await scrape())).toBeLessThan(2_000)
  })

  it('pass the check of promtool', async () => {
    expect(await complaintsOf(await scrape())).toBe('')
  })

  it('tell of jobs: how long they took, how soon they began, and what came of their devices', async () => {
    const text = await scrape()

    for (const type of ['scheduleUpdateTwin', 'scheduleDeviceMethod']) {
      expect(valueIn(text, `muster_job_seconds_count{type="${type}",status="completed"}`)).toBe(1)
      expect(valueIn(text, `muster_device_jobs_recorded_total{type="${type}",outcome="succeeded"}`)).toBe(5)
    }
    expect(valueIn(text, 'muster_job_start_lag_seconds_count{type="scheduleUpdateTwin"}')).toBe(1)
    expect(valueIn(text, 'muster_job_start_lag_seconds_count{type="scheduleDeviceMethod"}')).toBe(2)
    expect(valueIn(text, 'muster_delivery_total')).toBe(5)
    expect(valueIn(text, 'muster_worker_calls_limit')).toBe(hub.running.hub.config.callsInFlight)
    expect(valueIn(text, 'muster_sweep_seconds_count{sweep="wakeForgottenWork"}')).toBeGreaterThan(0)
  })

  it('count a job that is cancelled among those that have ended, once', async () => {
    const ended = 'muster_job_ended_total{type="scheduleUpdateTwin",status="cancelled"}'
    const startTime = new Date(Date.now() + 3_600_000).toISOString()
    const updateTwin = { etag: '*', tags: { a: 2 } }
    expect(valueIn(await scrape(), ended)).toBe(0)

    await putJob(hub, 'cancelled', { type: 'scheduleUpdateTwin', queryCondition: '*', updateTwin, startTime })
    await hub.request('POST', '/jobs/v2/cancelled/cancel')
    await hub.request('POST', '/jobs/v2/cancelled/cancel')

    expect(valueIn(await scrape(), ended)).toBe(1)
  })

  it('tell how long ago each sweep has ended a pass', async () => {
    const text = await scrape()

    for (const sweep of sweepNames) {
      expect(valueIn(text, `muster_sweep_age_seconds{sweep="${sweep}"}`), sweep).toBeGreaterThan(0)
    }
  })

  it('tell of Postgres: the pools, and how long hot statements took', async () => {
    const text = await scrape()

    const sizes = ['main', 'api'].map((pool) => valueIn(text, `muster_postgres_pool_size{pool="${pool}"}`))
    expect(sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)).toBe(hub.running.hub.config.poolSize)
    expect(valueIn(text, 'muster_postgres_pool_waiting{pool="main"}')).toBe(0)
    expect(valueIn(text, 'muster_postgres_pool_wait_seconds_count{pool="api"}')).toBeGreaterThan(0)
    expect(valueIn(text, 'muster_statement_seconds_count{name="claimChunk"}')).toBeGreaterThan(0)
  })

  it('tell of the hub as a whole', async () => {
    const text = await eventually(async () => {
      const text = await scrape()
      expect(valueIn(text, 'muster_work{state="waiting"}')).toBe(5)
      return text
    })

    expect(valueIn(text, 'muster_jobs{status="running"}')).toBe(1)
    expect(valueIn(text, 'muster_jobs_overdue')).toBe(0)
    expect(valueIn(text, 'muster_job_integrity_violations')).toBe(0)
    expect(valueIn(text, 'muster_gateways')).toBe(1)
    expect(valueIn(text, 'muster_workers')).toBe(1)
    expect(valueIn(text, 'muster_partitions_ahead')).toBeGreaterThanOrEqual(0)
    expect(valueIn(text, 'muster_database_bytes')).toBeGreaterThan(1_000_000)
    expect(valueIn(text, 'muster_redis_noeviction')).toBe(1)
    expect(valueIn(text, 'muster_redis_memory_bytes')).toBeGreaterThan(0)
    expect(valueIn(text, 'muster_queue_jobs{queue="jobs",state="delayed"}')).toBeGreaterThanOrEqual(1)
  })
})

it('a process without the dispatcher shows nothing of the hub as a whole', async () => {
  await using other = await startHub({ roles: roles.filter(({ name }) => name === 'api') })

  const text = await (await fetch(`http://127.0.0.1:${other.httpPort}/metrics`)).text()

  const ofHub = Object.entries(catalogue).flatMap(([name, { scope }]) => (scope === 'hub' ? [name] : []))
  expect([...exposedMetrics(text).keys()].filter((name) => ofHub.includes(name))).toEqual([])
  expect(text).not.toContain('muster_sweep_age_seconds{')
  expect(valueIn(text, 'muster_role_info{role="api"}')).toBe(1)
})

it('while Postgres is away the metrics come without those that it would tell', async () => {
  await scrape()
  await way.close()

  const text = await eventually(
    async () => {
      const text = await scrape()
      expect(valueIn(text, 'muster_jobs{status="running"}')).toBeNull()
      return text
    },
    { timeoutMs: 20_000 },
  )
  await way.open()

  expect(valueIn(text, 'muster_database_bytes')).toBeNull()
  expect(valueIn(text, 'muster_redis_memory_bytes')).toBeGreaterThan(0)
  expect(valueIn(text, 'muster_postgres_pool_size{pool="main"}')).toBeGreaterThan(0)
})
