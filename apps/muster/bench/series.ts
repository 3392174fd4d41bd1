import { setTimeout as sleep } from 'node:timers/promises'
import type postgres from 'postgres'
import { check, print } from './figures.ts'
import { type BenchHub, loadTwins, startHub, withStores } from './hub.ts'

/** What docs/metrics.md promises. */
const seriesMax = 2_000

/**
 * The series that each role shows at /metrics, the most of all scrapes, while jobs run over the whole fleet: a twin job, and a method job
 * whose devices are offline and wait. Each role is a hub of its own on the same stores, as in a process of its own. No device is connected.
 */
export async function benchSeries(deviceCount: number): Promise<void> {
  await withStores(async ({ config, database }) => {
    await loadTwins(database, deviceCount, {
      deviceId: `'bench-' || lpad(n::text, 8, '0')`,
      columns: { tags: `'{"building": 43}'::jsonb`, desired: `'{"interval": 30}'::jsonb` },
    })
    await using api = await startHub(config, ['api'])
    await using dispatcher = await startHub(config, ['dispatcher'])
    await using worker = await startHub(config, ['worker'])
    await using gateway = await startHub(config, ['gateway'])
    const hubs = { api, dispatcher, worker, gateway }
    const startJob = (jobId: string, body: object) =>
      api.request('PUT', `/jobs/v2/${jobId}`, { body: { ...body, queryCondition: '*' } })

    print(`devices             ${deviceCount.toLocaleString('en')}`)
    await show('before the first job', hubs, async () => true)
    await startJob('twins', { type: 'scheduleUpdateTwin', updateTwin: { etag: '*', tags: { seen: true } } })
    await show('a twin job runs', hubs, async () => (await outcomesOf(database)).patched === deviceCount)
    const cloudToDeviceMethod = { methodName: 'reboot', responseTimeoutInSeconds: 30 }
    await startJob('methods', { type: 'scheduleDeviceMethod', cloudToDeviceMethod })
    await show('a method job waits', hubs, async () => (await outcomesOf(database)).waiting === deviceCount)
  })
}

async function outcomesOf(database: postgres.Sql): Promise<{ readonly patched: number; readonly waiting: number }> {
  const [counts] = await database<{ patched: number; waiting: number }[]>`
    select coalesce(sum(succeeded), 0)::int as patched,
           coalesce(sum(attempted) filter (where succeeded = 0), 0)::int as waiting
      from chunks`
  return counts ?? { patched: 0, waiting: 0 }
}

/** Scrapes every role until the end has come, and once more. */
async function show(
  moment: string,
  hubs: Readonly<Record<string, BenchHub>>,
  hasEnded: () => Promise<boolean>,
): Promise<void> {
  const most = new Map(Object.keys(hubs).map((role) => [role, 0]))
  for (let isLast = false; ; isLast = await hasEnded()) {
    for (const [role, hub] of Object.entries(hubs)) {
      const series = (await hub.metrics()).split('\n').filter((line) => /^\w/.test(line)).length
      most.set(role, Math.max(series, most.get(role) ?? 0))
    }
    if (isLast) break
    await sleep(500)
  }
  print(`${moment.padEnd(24)}${[...most].map(([role, series]) => `${role} ${series}`.padEnd(18)).join('')}`.trimEnd())
  check(Math.max(...most.values()) < seriesMax, `a role has ${seriesMax} series or more`)
}
