import { setTimeout as sleep } from 'node:timers/promises'
import { generateKey } from '@muster/auth'
import { createFleet, type Fleet } from '@muster/simulator'
import type postgres from 'postgres'
import { check, print } from '../figures.ts'
import { type BenchHub, loadTwins, startHub, withStores } from '../hub.ts'

const smallCount = 20
const silentCount = 1_000
const tries = 5
/** From the request for the small job to its first call on a device. */
const barSeconds = 1
/** Of the work of both, for a job of priority 0 beside one of priority 1000. */
const leastShare = 0.01

/**
 * How soon a job of 20 devices calls the first of them while another has work for all workers: a twin job over all devices, a method job
 * over all, and one whose devices are silent and hold the places for calls. Then what a job of the lowest priority gets of the work.
 */
export async function benchFairness(deviceCount: number): Promise<void> {
  await withStores(async ({ config, database }) => {
    await loadTwins(database, deviceCount, {
      deviceId: `'bench-' || lpad(n::text, 8, '0')`,
      columns: { tags: `'{"size": "large"}'::jsonb`, desired: `'{"interval": 30}'::jsonb` },
    })
    await using hub = await startHub({ ...config, callsInFlight: silentCount })
    await using small = await connectedFleet(hub, { prefix: 'small', count: smallCount, silent: false })
    await using _ = await connectedFleet(hub, { prefix: 'silent', count: silentCount, silent: true })
    print(`devices             ${deviceCount.toLocaleString('en')} beside ${smallCount}`)

    await firstCalls(hub, small, 'beside nothing', null)
    await firstCalls(hub, small, 'beside a twin job over all', twinJob(1))
    await firstCalls(hub, small, 'beside a method job over all', methodJob("tags.size = 'large'"))
    await firstCalls(hub, small, 'beside silent devices', methodJob("tags.size = 'silent'"))
    await shares(hub, database)
  })
}

/** Prints how long the small job waited for its first call, in several tries. */
async function firstCalls(hub: BenchHub, small: Fleet, name: string, large: object | null): Promise<void> {
  const largeId = name.replaceAll(' ', '-')
  if (large !== null) {
    await hub.request('PUT', `/jobs/v2/${largeId}`, { body: large })
    while (!(await counts(hub, largeId)).hasBegun) await sleep(20)
  }
  const waits: number[] = []
  for (let no = 0; no < tries; no++) {
    const before = small.methodCallCount
    const startedMs = performance.now()
    await hub.request('PUT', `/jobs/v2/${largeId}-${no}`, { body: methodJob("tags.size = 'small'") })
    while (small.methodCallCount === before) await sleep(1)
    waits.push((performance.now() - startedMs) / 1_000)
    while ((await counts(hub, `${largeId}-${no}`)).status !== 'completed') await sleep(20)
  }
  const isOver = large !== null && (await counts(hub, largeId)).status !== 'running'
  if (large !== null && !isOver) await hub.request('POST', `/jobs/v2/${largeId}/cancel`)
  const worst = Math.max(...waits)
  const note = `${isOver ? '   the large job ended before' : ''}${worst > barSeconds ? `: over the bar of ${barSeconds} s` : ''}`
  print(`${name.padEnd(32)}first call after ${waits.map((wait) => wait.toFixed(2)).join(', ')} s${note}`)
}

/** Two twin jobs over all devices side by side. */
async function shares(hub: BenchHub, database: postgres.Sql): Promise<void> {
  await database`vacuum analyze twins`
  for (const priority of [0, 1_000]) await hub.request('PUT', `/jobs/v2/share-${priority}`, { body: twinJob(priority) })
  while (!(await counts(hub, 'share-1000')).hasBegun) await sleep(5)
  const before = [await counts(hub, 'share-0'), await counts(hub, 'share-1000')] as const
  let after = before
  while (after[1].status === 'running') {
    after = [await counts(hub, 'share-0'), await counts(hub, 'share-1000')]
    await sleep(20)
  }
  const [low, high] = [after[0].succeeded - before[0].succeeded, after[1].succeeded - before[1].succeeded]
  const share = low / (low + high)
  print(`${'priority 0 beside 1000'.padEnd(32)}${(100 * share).toFixed(1)} % of the work; 5.9 % of the turns`)
  check(share >= leastShare, `the job of priority 0 got ${(100 * share).toFixed(2)} % of the work`)
  await hub.request('POST', '/jobs/v2/share-0/cancel')
}

async function counts(hub: BenchHub, jobId: string) {
  const { status, deviceJobStatistics } = JSON.parse((await hub.request('GET', `/jobs/v2/${jobId}`)).text)
  const { deviceCount = 0, pendingCount = 0, succeededCount = 0 } = deviceJobStatistics ?? {}
  return { status, succeeded: succeededCount, hasBegun: deviceCount > 0 && pendingCount < deviceCount }
}

function twinJob(priority: number): object {
  const updateTwin = { etag: '*', properties: { desired: { interval: 60 } } }
  return { type: 'scheduleUpdateTwin', queryCondition: "tags.size = 'large'", updateTwin, priority }
}

function methodJob(queryCondition: string): object {
  const cloudToDeviceMethod = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 60 }
  return { type: 'scheduleDeviceMethod', queryCondition, cloudToDeviceMethod }
}

async function connectedFleet(
  hub: BenchHub,
  { prefix, count, silent }: { readonly prefix: string; readonly count: number; readonly silent: boolean },
): Promise<Fleet> {
  const behaviour = { latencyMs: [0, 0], status: 200, silent, offline: false, reports: false } as const
  const devices = Array.from({ length: count }, (_, no) => ({
    deviceId: `${prefix}-${no}`,
    key: generateKey(),
    behaviour,
  }))
  for (let from = 0; from < count; from += 100) {
    const body = devices.slice(from, from + 100).map(({ deviceId, key }) => ({
      id: deviceId,
      importMode: 'create',
      authentication: { type: 'sas', symmetricKey: { primaryKey: key, secondaryKey: key } },
      tags: { size: prefix },
    }))
    await hub.request('POST', '/devices', { body })
  }
  const fleet = createFleet({ hostName: 'localhost', mqttsPort: hub.mqttsPort, ca: hub.ca, devices })
  await fleet.connect()
  return fleet
}
