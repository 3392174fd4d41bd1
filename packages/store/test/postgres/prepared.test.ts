import { gatewayId, jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { markDueWhereReachable, markReachable } from '../../src/jobs/device-jobs.ts'
import { completeJob } from '../../src/jobs/jobs.ts'
import { findForgottenWork } from '../../src/jobs/sweeps/find-forgotten-work.ts'
import { analyzeGrownTables } from '../../src/postgres/analyze-grown-tables.ts'
import { type Connection, connect } from '../../src/postgres/connect.ts'
import { hotStatements, prepared } from '../../src/postgres/prepared.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { readCredentials } from '../../src/registry/identities.ts'
import { findOwners, findRoutes, openSessions } from '../../src/sessions/sessions.ts'
import { deviceId } from '../fleet.ts'
import {
  claimDue,
  claimed,
  deviceNames,
  execute,
  givenDevices,
  givenRunningJob,
  noon,
  openStore,
  recordFirstAttempts,
  recordLaterAttempts,
  worker,
} from '../jobs/engine.ts'
import { setJob } from '../jobs/rollout/set-rows.ts'

const throughLargeTable = /Seq Scan on (devices|twins|sessions|device_jobs_)/
const fleet = deviceNames(5_000)
const device = deviceId('device-0001')

let store: Awaited<ReturnType<typeof openStore>>
beforeAll(async () => {
  store = await openStore()
  await givenDevices(store.db, fleet, { isReachable: true })
  await store.db.execute(sql`analyze devices, twins, sessions`)
})
afterAll(() => store[Symbol.asyncDispose]())

describe('hot statements', () => {
  it('are planned once for each connection, and none then walks through a large table', async () => {
    await using one = openOne({ url: store.url, prepare: true })

    await runEveryOne(one.db)

    const statements = await preparedOn(one.db)
    expect(statements.map(({ name }) => name)).toEqual([...hotStatements].sort())
    for (const { name, statement } of statements) {
      const plan = await rows<{ 'QUERY PLAN': string }>(one.db, sql.raw(`explain (generic_plan) ${statement}`))
      const lines = plan.map((line) => line['QUERY PLAN']).join('\n')
      expect(lines, name).not.toMatch(/Seq Scan on (devices|twins|sessions|chunks_|device_jobs_)/)
    }
  })

  it('come of statistics without the ids of chunks, which take longest to analyze', async () => {
    await using small = await openStore()
    await givenDevices(small.db, fleet.slice(0, 20), { isReachable: false })
    await givenRunningJob(small.db, { devices: 20 })
    await small.db.execute(sql`analyze chunks`)

    const analyzed = await rows<{ attname: string }>(
      small.db,
      sql`select distinct attname from pg_stats where tablename like 'chunks\\_%'`,
    )
    const columns = analyzed.map(({ attname }) => attname)
    expect(columns).toContain('device_count')
    expect(columns).not.toContain('device_ids')
  })

  it('get new plans when a table has grown', async () => {
    await using small = await openStore()
    await givenDevices(small.db, fleet.slice(0, 20), { isReachable: true })
    await using one = openOne({ url: small.url, prepare: true })
    await rows(one.db, sql`set plan_cache_mode = force_generic_plan`)
    await runEveryOne(one.db)
    await small.db.execute(sql`analyze`)
    await explainKept(one.db)
    await givenDevices(small.db, fleet, { isReachable: true })
    await givenRecorded(small.db, fleet)
    expect(await explainKept(one.db)).toMatch(throughLargeTable)

    expect(await analyzeGrownTables(small.db, { limit: 2 })).toBe(2)
    await analyzeGrownTables(small.db, { limit: 100 })

    expect(await explainKept(one.db)).not.toMatch(throughLargeTable)
  })

  it('have no names where the address leads to a pooler that may lose them', async () => {
    await using one = openOne({ url: store.url, prepare: false })

    await runEveryOne(one.db)

    expect(await preparedOn(one.db)).toEqual([])
  })

  it('have one text each: a second one under the same name is refused', async () => {
    await using one = openOne({ url: store.url, prepare: true })
    await prepared(one.db, 'findRoutes', sql`select 1 as answer`)

    const second = prepared(one.db, 'findRoutes', sql`select 2 as answer`)

    await expect(second).rejects.toMatchObject({ cause: { message: expect.stringContaining('must be unique') } })
  })
})

/** One connection, so that the statements of its session can be asked for. */
function openOne({ url, prepare }: { url: string; prepare: boolean }): AsyncDisposable & Pick<Connection, 'db'> {
  const { db, close } = connect({ url, poolSize: 1, prepare })
  return { db, [Symbol.asyncDispose]: close }
}

async function preparedOn(db: Db): Promise<{ name: string; statement: string }[]> {
  return rows(db, sql`select name, statement from pg_prepared_statements where name <> '' order by name`)
}

/** The plans that this connection keeps. It makes those that it has not. */
async function explainKept(db: Db): Promise<string> {
  const statements = await rows<{ name: string; parameters: string }>(
    db,
    sql`
    select name, array_to_string(array_fill('null'::text, array[cardinality(parameter_types)]), ', ') as parameters
      from pg_prepared_statements
     where name <> ''`,
  )
  const plans = []
  for (const { name, parameters } of statements) {
    const plan = await rows<{ 'QUERY PLAN': string }>(db, sql.raw(`explain execute "${name}" (${parameters})`))
    plans.push(`${name}:`, ...plan.map((line) => line['QUERY PLAN']))
  }
  return plans.join('\n')
}

/** A method job that has recorded an attempt on each device. */
async function givenRecorded(db: Db, deviceIds: readonly string[]): Promise<void> {
  const { key } = await givenRunningJob(db, { devices: deviceIds.length, chunkSize: deviceIds.length })
  const chunk = await claimed(db, key)
  const outcomes = deviceIds.map((deviceId) => ({ deviceId, status: 'completed', response: jsonText({}) }) as const)
  await recordFirstAttempts(db, chunk, outcomes, noon)
}

/** A method job with a device that is tried twice, a twin job, and the connection of a device. */
async function runEveryOne(db: Db): Promise<void> {
  const { key } = await givenRunningJob(db, { devices: 20, chunkSize: 10 })
  const chunk = await claimed(db, key)
  const [first = ''] = chunk.deviceIds
  await recordFirstAttempts(db, chunk, [{ deviceId: first, status: 'pending', dueAt: noon }], noon)
  await markReachable(db, [first], noon)
  await markDueWhereReachable(db, chunk.job, [first], noon)
  const due = await claimDue(db, key, { workerId: worker, limit: 10 }, noon)
  if (due !== null)
    await recordLaterAttempts(db, due, [{ deviceId: first, status: 'completed', response: jsonText({}) }], noon)
  await completeJob(db, key, noon)
  await findForgottenWork(db, { limit: 10 }, noon)

  const limited = await givenRunningJob(db, { devices: 20, chunkSize: 10 })
  await setJob(db, limited, sql`rate = 6000, max_in_flight = 10`)
  await claimed(db, limited.key)

  const twinJob = await givenRunningJob(db, { devices: 5, type: 'scheduleUpdateTwin' })
  await execute(db, twinJob.key)

  await readCredentials(db, [device])
  await openSessions(db, gatewayId('gateway-1'), [{ identity: device, clean: true }], noon)
  await findRoutes(db, [device])
  await findOwners(db, [device])
}
