import { connectBus } from '@muster/bus'
import { jobKey } from '@muster/contract'
import { createThrottles, noTracing, openEvents, openLog, openMetrics } from '@muster/runtime'
import { connect } from '@muster/store'
import { uniquePrefix } from '@muster/testkit'
import { expect, inject, it, onTestFinished } from 'vitest'
import { createAttempts } from '../src/attempts.ts'
import { runChunk } from '../src/run-chunk.ts'
import { runDue } from '../src/run-due.ts'
import type { WorkerHub } from '../src/worker-hub.ts'

it('J21 a worker without places puts a wake-up for calls off before it asks Postgres', async () => {
  const worker = await givenWorkerWithoutPostgres()
  using _ = worker.attempts.reserve(jobKey(1), 100)

  const next = [
    await runChunk(worker, { kind: 'chunks', key: jobKey(1), type: 'scheduleDeviceMethod', turn: 0 }),
    await runDue(worker, jobKey(1)),
  ]

  expect(next).toEqual([{ laterMs: 250 }, { laterMs: 250 }])
  await expect(
    runChunk(worker, { kind: 'chunks', key: jobKey(1), type: 'scheduleUpdateTwin', turn: 0 }),
  ).rejects.toThrow()
})

/** Each statement fails. */
async function givenWorkerWithoutPostgres(): Promise<WorkerHub> {
  const bus = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })
  const { db, close } = connect({ url: 'postgres://nobody@127.0.0.1:1/nothing', poolSize: 1 })
  const metrics = openMetrics('1.2.3')
  const events = openEvents({ log: openLog('silent'), metrics })
  const clock = { now: () => new Date(), isTrusted: () => true }
  const hub = { db, bus, clock, events, metrics, throttles: createThrottles({ bus, events }, {}), tracing: noTracing }
  const attempts = await createAttempts(hub, { callsInFlight: 100 })
  onTestFinished(async () => {
    await Promise.allSettled([attempts.stop(AbortSignal.abort())])
    await close()
    await bus[Symbol.asyncDispose]()
  })
  return { ...hub, attempts }
}
