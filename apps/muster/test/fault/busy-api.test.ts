import { eventually } from '@muster/testkit'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub
let sql: Sql
beforeAll(async () => {
  hub = await startHub({
    roles: roles.filter(({ name }) => name === 'api' || name === 'gateway'),
    settings: { MUSTER_PG_POOL_SIZE: '6' },
  })
  sql = postgres(hub.environment.DATABASE_URL ?? '', { max: 2, onnotice: () => {} })
})
afterAll(async () => {
  await sql.end()
  await hub[Symbol.asyncDispose]()
})

it('G40 a gateway shows signs of life and serves devices while slow requests take every connection of the API beside it', async () => {
  await using fleet = await givenFleet(hub, { count: 3, prefix: 'beside', tags: {} })
  const slow: Promise<Response>[] = []
  await sql.begin(async (tx) => {
    // Only the API asks for jobs here.
    await tx`lock table jobs in access exclusive mode`
    for (let request = 0; request < 30; request += 1) slow.push(hub.request('GET', '/jobs/v2/any'))
    await eventually(waitForTheLock)
    const [before] = await lastSignOfLife()

    await fleet.connect()
    const ready = await fetch(`http://127.0.0.1:${hub.httpPort}/health/ready`)
    await eventually(async () => expect((await lastSignOfLife())[0]?.at).toBeGreaterThan(Number(before?.at)), {
      timeoutMs: 20_000,
    })

    expect(ready.status).toBe(200)
    expect(fleet.connectedCount).toBe(3)
  })

  const statuses = (await Promise.all(slow)).map(({ status }) => status)
  // Those that got no connection in time were told so.
  expect(statuses.filter((status) => status !== 404 && status !== 503)).toEqual([])
})

function lastSignOfLife() {
  return sql<{ at: number }[]>`select extract(epoch from heartbeat_at)::float as at from gateways`
}

async function waitForTheLock(): Promise<void> {
  const waiting = await sql`
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  expect(waiting.length).toBeGreaterThan(0)
}
