import type { Job } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cancelJob, completeJob, failJob, insertJob } from '../../../src/jobs/jobs.ts'
import { expireOverdueJobs } from '../../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { purgeHistory } from '../../../src/jobs/sweeps/purge-history.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { execute, givenJob, givenRunningJob, noon, on, openStore, start } from '../engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const asker = (actor: string) => ({ actor, clientAddress: '10.0.0.1' })
const created = ['created', null, {}]
const started = (deviceCount: number) => ['started', null, { deviceCount }]

it('J45 the way of a job to its end is told, each change once', async () => {
  const job = await givenRunningJob(db, { devices: 2, type: 'scheduleUpdateTwin' })
  await start(db, job.key)
  await insertJob(db, { ...job, target: { kind: 'devices', deviceIds: [] }, startTime: null }, noon)

  await completeJob(db, job.key, noon)
  await execute(db, job.key)
  const atTheEnd = on('12:00:07')
  await completeJob(db, job.key, atTheEnd)
  await completeJob(db, job.key, atTheEnd)
  await cancelJob(db, job.jobId, atTheEnd)

  expect(await told(job)).toEqual([created, started(2), ['completed', null, { counts: [2, 2, 0, 0, 0] }]])
  expect(await rows(db, sql`select at::text from job_events where job_key = ${job.key} order by event_no`)).toEqual([
    { at: '2026-03-02 12:00:00+00' },
    { at: '2026-03-02 12:00:00+00' },
    { at: '2026-03-02 12:00:07+00' },
  ])
})

it('J45 who made or cancelled a job is told', async () => {
  const job = await givenJob(db, { asker: asker('policy:service') })

  await cancelJob(db, job.jobId, noon, asker('client:console'))
  await cancelJob(db, job.jobId, noon, asker('policy:service'))

  expect(await told(job)).toEqual([
    ['created', 'policy:service', {}],
    ['cancelled', 'client:console', {}],
  ])
})

it('J45 the event of a cancel has the counts after it', async () => {
  const job = await givenRunningJob(db, { devices: 3, chunkSize: 1, type: 'scheduleUpdateTwin' })
  await execute(db, job.key)

  await cancelJob(db, job.jobId, noon)

  expect((await told(job)).at(-1)).toEqual(['cancelled', null, { counts: [3, 1, 0, 0, 2] }])
})

it('J45 why a job failed is told', async () => {
  const job = await givenJob(db)

  await failJob(db, job.key, 'the condition took too long to evaluate', noon)
  await failJob(db, job.key, 'again', noon)

  expect(await told(job)).toEqual([created, ['failed', null, { reason: 'the condition took too long to evaluate' }]])
})

it('J45 the end of a window is told, of a job that runs and of one that never could', async () => {
  const running = await givenRunningJob(db, { devices: 2, maxExecutionTimeInSeconds: 60 })
  const queued = await givenJob(db, { maxExecutionTimeInSeconds: 60 })
  const later = on('12:01:00')

  for (let times = 0; times < 2; times += 1) await expireOverdueJobs(db, { limit: 100 }, later)
  await start(db, queued.key, { now: later })

  expect(await told(running)).toEqual([created, started(2), ['expired', null, {}]])
  expect(await told(queued)).toEqual([created, started(3), ['expired', null, {}]])
})

it('J45 of many that make the same change, one is told', async () => {
  const job = await givenRunningJob(db, { devices: 0 })

  await Promise.all(
    Array.from({ length: 8 }, (_, no) =>
      no % 2 === 0 ? completeJob(db, job.key, noon) : cancelJob(db, job.jobId, noon, asker('policy:owner')),
    ),
  )

  expect(await told(job)).toHaveLength(3)
})

it('J45 J15 events and stages go with their job', async () => {
  await using own = await openStore()
  const job = await givenRunningJob(own.db, { devices: 1 })
  await cancelJob(own.db, job.jobId, noon)

  await purgeHistory(own.db, { endedBefore: on('13:00:00'), limit: 10 })

  expect(await rows(own.db, sql`select job_key from job_events union all select job_key from stages`)).toEqual([])
})

/** The events of a job, each as its kind, who acted, and what else it tells. */
async function told({ key }: Job): Promise<unknown[]> {
  const events = await rows<{ kind: string; actor: string | null; fields: object }>(
    db,
    sql`select kind, actor, fields from job_events where job_key = ${key} order by event_no`,
  )
  return events.map(({ kind, actor, fields }) => [kind, actor, fields])
}
