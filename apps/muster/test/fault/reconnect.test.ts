import { eventually } from '@muster/testkit'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startFleetProcess } from '../fleet-process.ts'
import { startHub, type TestHub } from '../hub.ts'
import { type RoleProcess, startGatewayProcess } from '../role-process.ts'
import { givenFleet, registered } from '../simulated.ts'

const deviceCount = Number(process.env.MUSTER_TEST_RECONNECTS) || 300
/** The time after which the hub takes a gateway for dead. */
const deadAfterSeconds = 20

let hub: TestHub
let gateway: RoleProcess & { readonly mqttsPort: number }
let sql: Sql

beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name === 'api' || name === 'dispatcher') })
  gateway = await startGatewayProcess(hub)
  sql = postgres(hub.environment.DATABASE_URL ?? '', { max: 1, onnotice: () => {} })
})
afterAll(async () => {
  await sql.end()
  await gateway[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

it('G58 a fleet that comes back at once is let in, while the gateway lives and other devices answer methods', {
  timeout: 900_000,
}, async () => {
  const place = { request: hub.request, ca: hub.ca, mqttsPort: gateway.mqttsPort }
  await using others = await givenFleet(place, { count: 20, prefix: 'other', tags: {} })
  const options = await registered(place, { count: deviceCount, prefix: 'back', tags: {} })
  await using fleet = await startFleetProcess({ ...options, connectConcurrency: 250 })
  await others.connect()
  await fleet.connect()
  await fleet.disconnect()
  await eventually(() => connectedAre(20), { timeoutMs: 60_000 })
  const statementsBefore = await countStatements()

  const storm = { isOver: false }
  const back = fleet.connect().finally(() => {
    storm.isOver = true
  })
  const [answers, heartbeats, { seconds, failures }] = await Promise.all([
    answersUntil(storm),
    heartbeatsUntil(storm),
    back,
  ])
  await eventually(() => connectedAre(deviceCount + 20), { timeoutMs: 10_000 })
  const statements = (await countStatements()) - statementsBefore

  const slowest = Math.max(...answers.map(({ ms }) => ms))
  process.stdout.write(
    `\n${deviceCount} devices back in ${seconds.toFixed(1)} s, ${failures.length} of them not at once; ${statements} transactions; ` +
      `${answers.length} methods, slowest ${slowest.toFixed(0)} ms; oldest heartbeat ${Math.max(...heartbeats).toFixed(1)} s\n`,
  )
  expect(failures.filter((times) => times > 1)).toEqual([])
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(heartbeats.filter((age) => age > deadAfterSeconds)).toEqual([])
})

async function connectedAre(count: number): Promise<void> {
  const [found] = await sql<{ count: number }[]>`
    select count(*)::int as count from sessions where gateway_id is not null`
  expect(found?.count).toBe(count)
}

/** Calls one device after the other. */
async function answersUntil(storm: { readonly isOver: boolean }) {
  const answers: { status: number; ms: number }[] = []
  while (!storm.isOver || answers.length === 0) {
    const startedAtMs = performance.now()
    const deviceId = `other-${String(answers.length % 20).padStart(4, '0')}`
    const response = await hub.request('POST', `/twins/${deviceId}/methods`, { methodName: 'ping' })
    await response.text()
    answers.push({ status: response.status, ms: performance.now() - startedAtMs })
  }
  return answers
}

/** The ages of the last sign of life, in seconds. */
async function heartbeatsUntil(storm: { readonly isOver: boolean }): Promise<number[]> {
  const ages: number[] = []
  while (!storm.isOver || ages.length === 0) {
    const [found] = await sql<{ age: number }[]>`
      select extract(epoch from clock_timestamp() - min(heartbeat_at))::float as age from gateways, pg_sleep(0.1)`
    ages.push(found?.age ?? Number.POSITIVE_INFINITY)
  }
  return ages
}

async function countStatements(): Promise<number> {
  const [found] = await sql<{ count: number }[]>`
    select xact_commit::int as count from pg_stat_database where datname = current_database()`
  return found?.count ?? 0
}
