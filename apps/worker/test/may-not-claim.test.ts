import { connectBus } from '@muster/bus'
import { createThrottles, noTracing, openEvents, openLog, openMetrics } from '@muster/runtime'
import { uniquePrefix } from '@muster/testkit'
import { expect, inject, it, onTestFinished } from 'vitest'
import { createAttempts } from '../src/attempts.ts'
import { runChunk } from '../src/run-chunk.ts'
import { runDue } from '../src/run-due.ts'
import { givenJob, givenPostgres, noon } from './given.ts'

it('J42 H15 a job whose own rate forbids a claim waits for that, before it asks for the rate of the hub', async () => {
  const { db, direct, sql } = await givenPostgres()
  const { key } = await givenJob(direct, { devices: 2, chunkSize: 1 })
  await sql`update jobs set rate = 60, rate_free_at = ${new Date(noon.getTime() + 2_000)} where job_key = ${key}`
  const worker = await givenWorker(db)
  // The hub has no tokens for hours. Who asks for some waits for five seconds at least.
  await worker.throttles.charge('jobDeviceOperations', 'jobs', 1_000)

  const next = [
    await runChunk(worker, { kind: 'chunks', key, type: 'scheduleDeviceMethod', turn: 0 }),
    await runChunk(worker, { kind: 'chunks', key, type: 'scheduleUpdateTwin', turn: 0 }),
    await runDue(worker, key),
  ]

  const soon = { laterMs: expect.toSatisfy((ms: number) => ms >= 2_000 && ms <= 2_500) }
  expect(next).toEqual([soon, soon, soon])
})

it('R101 a turn that the priority of its job does not give any more ends, and claims nothing', async () => {
  const { db, direct, sql } = await givenPostgres()
  const { key } = await givenJob(direct, { devices: 2, chunkSize: 1 })
  const worker = await givenWorker(db)
  const eighth = () => runChunk(worker, { kind: 'chunks', key, type: 'scheduleDeviceMethod', turn: 7 })

  await sql`update jobs set priority = 0 where job_key = ${key}`
  const lowered = await eighth()
  const claimed = await sql`select chunk_no from chunks where status <> 'ready'`
  await sql`update jobs set priority = 500 where job_key = ${key}`

  expect([lowered, [...claimed], await eighth()]).toEqual(['done', [], 'more'])
})

async function givenWorker(db: Awaited<ReturnType<typeof givenPostgres>>['db']) {
  const bus = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })
  const metrics = openMetrics('1.2.3')
  const events = openEvents({ log: openLog('silent'), metrics })
  const clock = { now: () => noon, isTrusted: () => true }
  const throttles = createThrottles({ bus, events }, { jobDeviceOperations: { tokens: 1_000, perMs: 3_600_000_000 } })
  const attempts = await createAttempts({ db, bus, clock, events, metrics, tracing: noTracing }, { callsInFlight: 100 })
  onTestFinished(async () => {
    await attempts.stop(AbortSignal.abort())
    await bus[Symbol.asyncDispose]()
  })
  return { db, bus, clock, events, metrics, throttles, tracing: noTracing, attempts }
}
