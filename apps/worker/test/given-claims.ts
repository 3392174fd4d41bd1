import { connectBus } from '@muster/bus'
import { jsonText } from '@muster/contract'
import { noTracing, openEvents, openLog, openMetrics } from '@muster/runtime'
import { claimChunk, type Db, insertWorker, type RunningJob } from '@muster/store'
import { uniquePrefix } from '@muster/testkit'
import type { Sql } from 'postgres'
import { inject, onTestFinished } from 'vitest'
import type { Claim } from '../src/claim.ts'
import type { Decided } from '../src/outcomes/record-outcomes.ts'
import { createRecorder } from '../src/outcomes/recorder.ts'
import { givenJob, givenPostgres, type JobSize, noon, permitted } from './given.ts'

export const noSpan = noTracing.begin('run chunk', { kind: 'consumer', parent: null })

/** Postgres cannot take half of a character. */
export const unwritable = '\ud800'

/** A job whose chunks one worker has claimed, and what records their outcomes. */
export async function givenClaims(size: JobSize & { readonly isConnected?: boolean }) {
  const { cut, db, direct, sql } = await givenPostgres()
  if (size.isConnected) await connectDevices(sql, size.devices)
  const job = await givenJob(direct, size)
  await insertWorker(direct, { workerId: 'worker', leaseUntil: new Date(noon.getTime() + 60_000) }, noon)
  const claims = await claimAll(direct, job)
  const bus = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })
  onTestFinished(() => bus[Symbol.asyncDispose]())
  const metrics = openMetrics('1.2.3')
  const events = openEvents({ log: openLog('silent'), metrics })
  const hub = { db, bus, clock: { now: () => noon, isTrusted: () => true }, events, metrics, tracing: noTracing }
  const pauses = givenPauses()
  const recorder = createRecorder(hub, { signal: new AbortController().signal, pause: pauses.pause })
  return { cut, direct, sql, hub, job, claims, events, pauses, recorder }
}

export async function claimAll(db: Db, job: RunningJob): Promise<Claim[]> {
  const claims: Claim[] = []
  for (
    let chunk = permitted(await claimChunk(db, job, 'worker', noon));
    chunk !== null;
    chunk = permitted(await claimChunk(db, job, 'worker', noon))
  ) {
    const { askedSince } = chunk
    const attempts = chunk.deviceIds.map((deviceId) => ({
      deviceId,
      attempt: 1,
      deliveries: 0,
      unknownDeliveries: 0,
      notNows: 0,
      askedSince,
    }))
    claims.push({
      kind: 'chunks',
      given: chunk,
      job,
      workerId: 'worker',
      claimedAt: noon,
      deviceCount: attempts.length,
      attempts,
      span: noSpan,
    })
  }
  return claims
}

/** The devices of the job, reachable over `gateway-1`. */
async function connectDevices(sql: Sql, count: number): Promise<void> {
  await sql`
    with registered as (
      insert into devices (device_id, generation_id, created_at)
      select 'device-' || no, '1', ${noon} from generate_series(0, ${count}::int - 1) as no
      returning device_id),
    twinned as (insert into twins (device_id) select device_id from registered)
    insert into sessions (device_id, gateway_id, connection_no, state_updated_at, last_activity_at, accepts_methods)
    select device_id, 'gateway-1', 1, ${noon}, ${noon}, true from registered`
}

/** The first pause lasts until its end is told, and the others no time. */
function givenPauses() {
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  let begin = () => {}
  const first = new Promise<void>((resolve) => {
    begin = resolve
  })
  let count = 0
  return {
    first,
    count: () => count,
    end: () => end(),
    pause: () => {
      count += 1
      begin()
      return ended
    },
  }
}

export function answered(attempt: Decided['attempt']): Decided {
  return { attempt, outcome: { kind: 'succeeded', response: jsonText({ status: 200, payload: null }) } }
}
