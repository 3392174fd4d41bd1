import { releaseExpiredChunks } from '@muster/store'
import { eventually } from '@muster/testkit'
import { expect, it } from 'vitest'
import type { Claim } from '../src/claim.ts'
import type { Decided } from '../src/outcomes/record-outcomes.ts'
import { given, givenJob, noon } from './given.ts'
import { answered, claimAll, givenClaims, unwritable } from './given-claims.ts'

it('J5 outcomes of many claims that come together are written together, and each chunk counts its own', async () => {
  const { sql, recorder, claims } = await givenClaims({ devices: 60, chunkSize: 10 })

  await Promise.all(claims.flatMap((claim) => inPieces(claim, 3).map((piece) => recorder.record(claim, piece))))

  expect(
    await sql`select count(distinct xmin::text)::int as transactions, count(*)::int as rows from device_jobs`,
  ).toEqual([{ transactions: 1, rows: 60 }])
  expect(await sql`select distinct status, succeeded, failed, running from chunks`).toEqual([
    { status: 'attempted', succeeded: 10, failed: 0, running: 0 },
  ])
  expect(await sql`select status from jobs`).toEqual([{ status: 'completed' }])
})

it('J4 what belongs to a lost claim is not written, and the rest of its group is', async () => {
  const { sql, direct, events, recorder, claims } = await givenClaims({ devices: 6, chunkSize: 2 })
  const lost: string[] = []
  events.on('claimLost', ({ jobKey }) => lost.push(jobKey))
  const [first, ...others] = claims
  await sql`update chunks set leased_by = 'nobody' where chunk_no = 0`
  await releaseExpiredChunks(direct, { limit: 100 }, noon)

  await Promise.all(claims.map((claim) => recorder.record(claim, claim.attempts.map(answered))))

  expect(lost).toEqual([given(first ?? null).job.key])
  expect(others).toHaveLength(2)
  expect(await sql`select chunk_no, succeeded from chunks order by chunk_no`).toEqual([
    { chunk_no: 0, succeeded: 0 },
    { chunk_no: 1, succeeded: 2 },
    { chunk_no: 2, succeeded: 2 },
  ])
})

it('J20 an answer is counted once, though the connection is cut as it was written', async () => {
  const { cut, sql, recorder, claims } = await givenClaims({ devices: 4, chunkSize: 2 })

  cut.answerTo('recordFirstAttempts')
  await Promise.all(claims.map((claim) => recorder.record(claim, claim.attempts.map(answered))))

  expect(await sql`select succeeded, failed, running from chunks`).toEqual([
    { succeeded: 2, failed: 0, running: 0 },
    { succeeded: 2, failed: 0, running: 0 },
  ])
})

it('R23 a criterion that the last outcomes fulfil cancels the job before it completes', async () => {
  const criteria = [{ failureType: 'all', action: 'cancel', thresholdPercentage: 50, minNumberOfExecuted: 1 } as const]
  const { sql, recorder, claims } = await givenClaims({ devices: 2, chunkSize: 2, abort: { criteria } })

  await Promise.all(claims.map((claim) => recorder.record(claim, claim.attempts.map(failed))))

  expect(await sql`select status, failure_reason from jobs`).toEqual([
    { status: 'cancelled', failure_reason: '2 of 2 devices failed, 100.00 %; at 50 % the job stops' },
  ])
})

it('J34 an outcome that cannot be written holds up no other, and its device ends with ServerError after ten tries', async () => {
  const { sql, events, pauses, recorder, claims } = await givenClaims({ devices: 20, chunkSize: 10 })
  const [first, second] = claims.map((claim) => claim.attempts.map(answered))
  const failures: string[] = []
  events.on('deviceJobFailed', ({ trackingId }) => failures.push(trackingId))
  const [one, ...rest] = given(first ?? null)
  const error = { code: 'GenericBadGateway', description: unwritable } as const
  const poisoned: Decided = { ...given(one ?? null), deliveredAtMs: noon.getTime(), outcome: { kind: 'failed', error } }

  const ends = [
    recorder.record(given(claims[0] ?? null), [poisoned, ...rest]),
    recorder.record(given(claims[1] ?? null), given(second ?? null)),
  ]
  await ends[1]
  await pauses.first
  const sums = () => sql`select sum(succeeded)::int as succeeded, sum(running)::int as running from chunks`
  await eventually(async () => expect(await sums()).toEqual([{ succeeded: 19, running: 1 }]))
  pauses.end()
  await ends[0]

  expect(await sql`select error_code, error_text, deliveries from device_jobs where status = 'failed'`).toEqual([
    { error_code: 'ServerError', error_text: expect.stringContaining(given(failures[0] ?? null)), deliveries: 1 },
  ])
  expect([failures.length, pauses.count()]).toEqual([1, 9])
  expect(await sql`select status from jobs`).toEqual([{ status: 'completed' }])
})

it('J24 an answer that Postgres is too slow to write is kept until it is written', async () => {
  const { sql, events, pauses, recorder, claims } = await givenClaims({ devices: 2, chunkSize: 2 })
  const failures: unknown[] = []
  events.on('deviceJobFailed', ({ error }) => failures.push(error))
  pauses.end()
  await sql`create sequence tries`
  await sql.unsafe(`
    create function time_out() returns trigger language plpgsql as $$
    begin
      if nextval('tries') <= 4 then raise exception 'canceled' using errcode = 'query_canceled'; end if;
      return null;
    end $$;
    create trigger slow before insert on device_jobs for each statement execute function time_out()`)

  await Promise.all(claims.map((claim) => recorder.record(claim, claim.attempts.map(answered))))

  expect([failures.length, pauses.count()]).toEqual([0, 0])
  expect(await sql`select succeeded, running from chunks`).toEqual([{ succeeded: 2, running: 0 }])
})

it('J8 a device that connected meanwhile is due at once, also when the end of its job cannot be written', async () => {
  const { sql, events, recorder, claims } = await givenClaims({ devices: 2, chunkSize: 1, isConnected: true })
  const failed: string[] = []
  events.on('wakeUpFailed', ({ jobKey }) => failed.push(jobKey))
  await sql.unsafe(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
    create trigger refused before update on jobs for each statement execute function refuse()`)
  const [ended, waiting] = [given(claims[0] ?? null), given(claims[1] ?? null)]

  await Promise.all([
    recorder.record(ended, ended.attempts.map(answered)),
    recorder.record(
      waiting,
      waiting.attempts.map((attempt) => ({ attempt, outcome: { kind: 'waiting' } })),
    ),
  ])

  expect(await sql`select due_at from device_jobs where status = 'pending'`).toEqual([{ due_at: noon }])
  expect(failed).toEqual([ended.job.key])
})

it('J13 a job that cannot be completed now holds up no other whose outcomes came with its own', async () => {
  const { direct, sql, recorder, claims, job } = await givenClaims({ devices: 1, chunkSize: 1 })
  const other = await claimAll(direct, await givenJob(direct, { jobId: 'other', devices: 1, chunkSize: 1 }))
  const statuses = () => direct.execute<{ status: string }>('select status from jobs order by job_key')

  const ends = await sql.begin(async (holding) => {
    await holding`select from jobs where job_key = ${job.key} for update`
    const recorded = [...claims, ...other].map((claim) => recorder.record(claim, claim.attempts.map(answered)))
    await eventually(async () =>
      expect((await statuses()).rows).toEqual([{ status: 'running' }, { status: 'completed' }]),
    )
    return { recorded }
  })
  await Promise.all(ends.recorded)

  expect((await statuses()).rows).toEqual([{ status: 'completed' }, { status: 'completed' }])
})

function failed(attempt: Decided['attempt']): Decided {
  return { attempt, outcome: { kind: 'failed', error: { code: 'GatewayTimeout', description: 'no answer' } } }
}

function inPieces({ attempts }: Claim, count: number): Decided[][] {
  const size = Math.ceil(attempts.length / count)
  return Array.from({ length: count }, (_, no) => attempts.slice(no * size, (no + 1) * size).map(answered))
}
