import type postgres from 'postgres'
import { print } from './figures.ts'
import { loadTwins, withStores } from './hub.ts'
import { loadHistory, loadWaiting, makeWeeks } from './waiting.ts'

/** Device jobs that wait, are claimed and answer, in sets. */
const sets = 100
const setSize = 100

/**
 * The partial index of device jobs that wait, beside a table of their own, `device_waits`, from which a row moves to `device_jobs` with
 * its claim. Ten device jobs of each device have ended, and 10,000 wait, spread over nine weeks.
 */
export async function benchWaits(deviceCount: number): Promise<void> {
  await withStores(async ({ config: { databaseUrl }, database }) => {
    if (databaseUrl === null) return
    await loadTwins(database, deviceCount, { deviceId: `'device-' || n`, columns: { version: '1' } })
    await makeWeeks(databaseUrl)
    await loadHistory(database, deviceCount)
    await loadWaiting(database, deviceCount, 200)
    await makeOwnTable(database)

    print(`\n${''.padEnd(44)}${'partial index'.padStart(16)}${'own table'.padStart(16)}     ratio`)
    const [week] = await database<{ week: string }[]>`select max(week)::text as week from chunks`
    for (const [name, steps] of Object.entries(measured(week?.week ?? ''))) {
      const times: [number[], number[]] = [[], []]
      // The first round does not count: after it the planner knows the job. They take turns, so that a busy moment falls on both.
      for (let round = 0; round <= 3; round++) {
        for (const side of [0, 1] as const) {
          const ms = await timed(() => steps[side](database, round))
          if (round > 0) times[side].push(ms)
        }
        if (round === 0) await database`analyze device_jobs, device_waits`
      }
      const [indexMs, ownMs] = times.map((each) => Math.min(...each))
      print(line(name, `${indexMs?.toFixed(0)} ms`, `${ownMs?.toFixed(0)} ms`, (ownMs ?? 0) / (indexMs ?? 0)))
    }
    await printSizes(database)
  })
}

type Step = (database: postgres.Sql, round: number) => Promise<unknown>

function measured(week: string): Readonly<Record<string, readonly [Step, Step]>> {
  return {
    '1000 connections, one by one': [
      (database) => connected(database, lookups.index, { times: 1_000, size: 1 }),
      (database) => connected(database, lookups.own, { times: 1_000, size: 1 }),
    ],
    '10000 connections, in sets of 100': [
      (database) => connected(database, lookups.index, { times: 100, size: 100 }),
      (database) => connected(database, lookups.own, { times: 100, size: 100 }),
    ],
    [`${sets * setSize} waits, claims and answers`]: [
      (database, round) => inSets(round, (ids) => throughIndex(database, { week, key: 1_000_000, ids })),
      (database, round) => inSets(round, (ids) => throughOwnTable(database, { week, key: 2_000_000, ids })),
    ],
  }
}

const lookups = {
  index: `select week, job_key from device_jobs where device_id = any($1) and status = 'pending' and due_at = 'infinity'`,
  own: `select week, job_key from device_waits where device_id = any($1) and due_at = 'infinity'`,
}

async function connected(
  database: postgres.Sql,
  statement: string,
  { times, size }: { readonly times: number; readonly size: number },
): Promise<void> {
  for (let time = 0; time < times; time++) {
    const ids = Array.from({ length: size }, (_, n) => `device-${1 + (time * size + n) * 7}`)
    await database.unsafe(statement, [ids], { prepare: true })
  }
}

/** Other devices in each round. */
async function inSets(round: number, work: (ids: readonly string[]) => Promise<void>): Promise<void> {
  for (let set = 0; set < sets; set++) {
    await work(Array.from({ length: setSize }, (_, n) => `device-${1 + (round * sets + set) * setSize + n}`))
  }
}

interface Waits {
  readonly week: string
  readonly key: number
  readonly ids: readonly string[]
}

async function throughIndex(database: postgres.Sql, { week, key, ids }: Waits): Promise<void> {
  await database`
    insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, due_at, updated_at)
    select ${week}::date, ${key}::bigint, 0, unnest(${ids}::text[]), 'pending', 1, 'infinity', now()`
  const those = database`where week = ${week} and job_key = ${key} and device_id = any(${ids})`
  await database`update device_jobs set due_at = now() ${those} and status = 'pending'`
  await database`
    update device_jobs
       set status = 'running', attempt = attempt + 1, due_at = null, leased_by = 'bench', updated_at = now()
    ${those} and status = 'pending'`
  await answered(database, those)
}

async function throughOwnTable(database: postgres.Sql, { week, key, ids }: Waits): Promise<void> {
  await database`
    insert into device_waits (week, job_key, chunk_no, device_id, attempt, due_at, updated_at)
    select ${week}::date, ${key}::bigint, 0, unnest(${ids}::text[]), 1, 'infinity', now()`
  await database`update device_waits set due_at = now() where job_key = ${key} and device_id = any(${ids})`
  await database`
    with due as (delete from device_waits where job_key = ${key} and device_id = any(${ids}) returning *)
    insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, leased_by, updated_at)
    select week, job_key, chunk_no, device_id, 'running', attempt + 1, 'bench', now() from due`
  await answered(database, database`where week = ${week} and job_key = ${key} and device_id = any(${ids})`)
}

async function answered(database: postgres.Sql, those: postgres.PendingQuery<postgres.Row[]>): Promise<void> {
  await database`
    update device_jobs
       set status = 'completed', deliveries = 1, delivered_at = now(), leased_by = null, updated_at = now(),
           response = '{"status":200,"payload":null}'
    ${those} and status = 'running'`
}

async function makeOwnTable(database: postgres.Sql): Promise<void> {
  await database`
    create table device_waits (
      week date not null, job_key bigint not null, device_id text collate "C" not null, chunk_no integer not null,
      attempt integer not null, deliveries integer not null default 0, unknown_deliveries integer not null default 0,
      delivered_at timestamptz, asked_since timestamptz, due_at timestamptz not null, updated_at timestamptz not null,
      primary key (job_key, device_id))`
  await database`create index device_waits_waiting on device_waits (device_id)`
  await database`create index device_waits_due on device_waits (job_key, due_at) where due_at < 'infinity'`
  await database`
    insert into device_waits (week, job_key, chunk_no, device_id, attempt, due_at, updated_at)
    select week, job_key, chunk_no, device_id, attempt, due_at, updated_at from device_jobs where status = 'pending'`
  await database`vacuum analyze device_waits`
}

async function printSizes(database: postgres.Sql): Promise<void> {
  const [sizes] = await database<{ index: number; own: number }[]>`
    select sum(pg_relation_size(indexrelid))::int as index, pg_relation_size('device_waits_waiting')::int as own
      from pg_stat_user_indexes
     where relname like 'device_jobs_%' and indexrelname like '%device_id_job_key_idx'`
  const { index = 0, own = 0 } = sizes ?? {}
  print(line('the index of a connection afterwards', kib(index), kib(own), own / index))
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

function kib(bytes: number): string {
  return `${Math.round(bytes / 1024)} KiB`
}

function line(name: string, index: string, own: string, ratio: number): string {
  return `${name.padEnd(44)}${index.padStart(16)}${own.padStart(16)}     ${ratio.toFixed(2)}`
}
