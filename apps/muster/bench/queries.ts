import type postgres from 'postgres'
import { ask, measurePage, tokenAfter } from './ask.ts'
import { benchCompile } from './compile.ts'
import { type Baseline, check, figure, print, printHead, seconds } from './figures.ts'
import { countFleet, type FleetCounts, loadFleet, longId, shortIds } from './fleet.ts'
import { type BenchHub, startHub, withStores } from './hub.ts'

/** Queries over many twins, as a caller of the service API gets them, page by page. */
export async function benchQueries(deviceCount: number): Promise<void> {
  await withStores(async ({ config, database }) => {
    const loadingSeconds = await seconds(() => loadFleet(database, deviceCount))
    const counts = await countFleet(database)
    const size = `${counts.size} on disk, loaded in ${loadingSeconds.toFixed(0)} s`
    print(`twins               ${counts.all.toLocaleString('en')}, ${size}`)
    await using hub = await startHub(config)

    printHead('Postgres alone')
    await figure('select 1', { runs: 50 }, () => database`select 1`)
    const scan = { name: 'scan', work: () => scanTwins(database) }
    await figure('count(*) of twins, row by row', { runs: 5 }, scan.work)

    printHead('POST /devices/query, pages of 100')
    await benchPaging(hub, counts)
    await benchConditions(hub, counts, scan)
    await benchAggregates(hub, counts, scan)

    printHead('POST /jobs/v2/preview')
    await benchPreview(hub, counts)
  })
  await benchCompile()
}

/** Pages of everything: a later one must cost what the first one costs. */
async function benchPaging(hub: BenchHub, { all }: FleetCounts): Promise<void> {
  const { query } = everything
  const skipped = Math.min(500_000, Math.floor(all / 2))
  const after = await tokenAfter(hub, query, skipped)
  const afterName = `all, after ${skipped.toLocaleString('en')}`

  await measurePage(hub, 'all, first page', { query, rows: 100 }, { runs: 50 })
  await measurePage(hub, afterName, { query, after, rows: 100 }, { runs: 50, baseline: firstPage(hub) })

  const big = { query, pageSize: 1000, rows: 1000 }
  const firstBig = { name: 'that', work: () => ask(hub, big) }
  await measurePage(hub, 'all, first page of 1,000', big, { runs: 20, baseline: firstPage(hub) })
  await measurePage(hub, `${afterName}, page of 1,000`, { ...big, after }, { runs: 20, baseline: firstBig })
}

const everything = { query: 'SELECT * FROM devices' }

function firstPage(hub: BenchHub): Baseline {
  return { name: 'first page', work: () => ask(hub, everything) }
}

async function benchConditions(
  hub: BenchHub,
  { tagged, taggedAndConnected, lowBattery }: FleetCounts,
  scan: Baseline,
): Promise<void> {
  const indexed = { runs: 30, baseline: firstPage(hub), barMs: 50 }
  const tag = where("tags.x = 'y'")
  await measurePage(hub, "tags.x = 'y' (1 %)", { query: tag, rows: Math.min(tagged, 100) }, indexed)
  const rest = tagged % 100 || 100
  const last = await tokenAfter(hub, tag, tagged - rest)
  await measurePage(hub, 'the same, last page', { query: tag, after: last, rows: rest }, indexed)

  const list = `deviceId IN ${shortIds.length.toLocaleString('en')} ids`
  const listed = where(`deviceId IN [${shortIds.map((id) => `'${id}'`).join()}]`)
  await measurePage(hub, list, { query: listed, rows: 100 }, indexed)
  await measurePage(
    hub,
    `${list}, page of 1,000`,
    { query: listed, pageSize: 1000, rows: 1000 },
    { runs: 20, baseline: firstPage(hub) },
  )

  const unbarred = { runs: 20, baseline: firstPage(hub) }
  const both = "connectionState = 'Connected' AND tags.x = 'y'"
  await measurePage(hub, `${both} (0.1 %)`, { query: where(both), rows: Math.min(taggedAndConnected, 100) }, unbarred)
  const low = 'properties.reported.battery < 5'
  await measurePage(hub, `${low} (5 %)`, { query: where(low), rows: Math.min(lowBattery, 100) }, unbarred)
  const none = 'properties.reported.battery < 0'
  await measurePage(hub, `${none} (none: all are read)`, { query: where(none), rows: 0 }, { runs: 3, baseline: scan })
}

async function benchAggregates(hub: BenchHub, { all, lowBattery }: FleetCounts, scan: Baseline): Promise<void> {
  const measuring = { runs: 5, baseline: scan, barMs: 3000 }
  const grouped = 'SELECT tags.building, COUNT() AS devices FROM devices GROUP BY tags.building'
  const groups = await measurePage(
    hub,
    'tags.building, COUNT() GROUP BY tags.building',
    { query: grouped, rows: 100 },
    measuring,
  )
  const sum = groups.reduce((total, { devices }) => total + Number(devices), 0)
  check(sum === all, `the groups have ${sum} devices, and not ${all}`)

  const low = 'properties.reported.battery < 5'
  const counted = `SELECT COUNT() AS devices FROM devices WHERE ${low}`
  const page = await measurePage(hub, `COUNT() WHERE ${low}`, { query: counted, rows: 1 }, measuring)
  check(page[0]?.devices === lowBattery, `COUNT() is ${page[0]?.devices}, and not ${lowBattery}`)
}

async function benchPreview(hub: BenchHub, { all, tagged }: FleetCounts): Promise<void> {
  const preview = async (name: string, body: object, deviceCount: number, barMs?: number) => {
    const measuring = { runs: 10, ...(barMs === undefined ? {} : { barMs }) }
    const reply = await figure(name, measuring, () => hub.request('POST', '/jobs/v2/preview', { body }))
    const found = JSON.parse(reply.text).deviceCount
    check(found === deviceCount, `the preview has ${found} devices, and not ${deviceCount}`)
  }
  await preview("tags.x = 'y' (1 %)", { queryCondition: "tags.x = 'y'" }, tagged)
  const deviceIds = Array.from({ length: 2000 }, (_, n) => longId(1 + n * Math.floor(all / 2000)))
  await preview('deviceIds, 2,000 of them', { deviceIds }, deviceIds.length, 50)
}

function where(condition: string): string {
  return `SELECT * FROM devices WHERE ${condition}`
}

/** The rows themselves, and not only an index of them. */
async function scanTwins(database: postgres.Sql): Promise<void> {
  await database.begin('read only', async (transaction) => {
    await transaction`set local enable_indexonlyscan = off`
    await transaction`set local enable_indexscan = off`
    await transaction`set local enable_bitmapscan = off`
    await transaction`select count(*) from twins`
  })
}
