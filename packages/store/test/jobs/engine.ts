import { type Job, type JobKey, type JobRequest, type JobType, parseJobId } from '@muster/contract'
import { createDatabase, templateDatabase } from '@muster/testkit'
import { sql } from 'drizzle-orm'
import { inject } from 'vitest'
import { type ClaimedChunk, claimChunk, readRunningJob } from '../../src/jobs/chunks.ts'
import { type ClaimedDeviceJobs, claimDueDeviceJobs } from '../../src/jobs/device-jobs.ts'
import { type ChunkWork, type Execution, executeChunk, type LockedChunk } from '../../src/jobs/execute-chunk.ts'
import type { Asker } from '../../src/jobs/job-events.ts'
import { insertJob, readJob } from '../../src/jobs/jobs.ts'
import {
  type DeviceOutcome,
  type Recorded,
  recordFirstAttempts as recordFirst,
  recordLaterAttempts as recordLater,
} from '../../src/jobs/record-attempts.ts'
import { isNotNow, type NotNow } from '../../src/jobs/rollout/permission.ts'
import { startJob } from '../../src/jobs/start/start-job.ts'
import { connect } from '../../src/postgres/connect.ts'
import { migrate } from '../../src/postgres/migrate.ts'
import { type Db, rows, texts } from '../../src/postgres/sql.ts'

/** A database of its own, with the schema and nothing in it. */
export async function openStore(): Promise<AsyncDisposable & { readonly db: Db; readonly url: string }> {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  const database = await createDatabase(inject('databaseUrl'), { template })
  const connection = connect({ url: database.url, poolSize: 8 })
  return {
    db: connection.db,
    url: database.url,
    async [Symbol.asyncDispose]() {
      await connection.close()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** How many statements wait for a lock. */
export async function countWaiting(db: Db): Promise<number> {
  const [counted] = await rows<{ count: number }>(
    db,
    sql`
    select count(*)::int as count
      from pg_stat_activity
     where datname = current_database()
       and wait_event_type = 'Lock'`,
  )
  return counted?.count ?? 0
}

/** A time on the day of these tests, which is a Monday. */
export function on(time: string): Date {
  return new Date(`2026-03-02T${time}Z`)
}

export const noon = on('12:00:00')
export const worker = 'worker-1'

export function deviceNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `device-${String(index).padStart(4, '0')}`)
}

/** Registers devices that are connected to a gateway and subscribed to methods, or offline. */
export async function givenDevices(
  db: Db,
  ids: readonly string[],
  { isReachable }: { isReachable: boolean },
): Promise<void> {
  await rows(
    db,
    sql`
    with registered as (
      insert into devices (device_id, generation_id, created_at)
      select id, '1', now() from unnest(${texts(ids)}) as id
      on conflict do nothing
      returning device_id),
    twinned as (insert into twins (device_id) select device_id from registered)
    insert into sessions (device_id, gateway_id, connection_no, state_updated_at, last_activity_at, accepts_methods)
    select device_id, ${isReachable ? 'gateway-1' : null}, 1, now(), now(), ${isReachable} from registered
    returning device_id`,
  )
}

export async function givenJob(
  db: Db,
  request: Partial<Omit<JobRequest, 'jobId'>> & {
    jobId?: string
    queryCondition?: string
    devices?: readonly string[]
    asker?: Asker
  } = {},
  now = noon,
): Promise<Job> {
  const job = await insertJob(
    db,
    {
      type: 'scheduleDeviceMethod',
      target: { kind: 'devices', deviceIds: request.devices ?? deviceNames(3) },
      body: { methodName: 'ping', payload: 'null', responseTimeoutInSeconds: 30, connectTimeoutInSeconds: 0 },
      startTime: null,
      maxExecutionTimeInSeconds: 3600,
      queryCondition: '*',
      ...request,
      jobId: parseJobId(request.jobId ?? `job-${Math.random().toString(36).slice(2)}`),
    },
    now,
  )
  if (job === null) throw new Error(`the job ${request.jobId} exists already`)
  return job
}

/** A job of so many listed devices that has started at noon. */
export async function givenRunningJob(
  db: Db,
  {
    devices,
    chunkSize = 100,
    ...request
  }: { devices: number; chunkSize?: number; type?: JobType; maxExecutionTimeInSeconds?: number },
): Promise<Job> {
  const job = await givenJob(db, { ...request, devices: deviceNames(devices) })
  await start(db, job.key, { chunkSize })
  return job
}

export function start(db: Db, key: JobKey, { chunkSize = 100, maxRunningJobs = 100, now = noon } = {}) {
  return startJob(db, key, { maxRunningJobs, chunkSize: () => chunkSize }, now)
}

/** What came of a claim of a job that has no limits, or has reached none of them. */
function permitted<Claimed extends object>(claimed: Claimed | NotNow | null): Claimed | null {
  if (claimed !== null && isNotNow(claimed)) throw new Error(`not now, but in ${claimed.waitMs} ms`)
  return claimed
}

/** Lets a worker claim for the next minute. */
export async function givenLease(db: Db, workerId: string, now: Date): Promise<void> {
  await rows(
    db,
    sql`
    insert into workers (worker_id, started_at, lease_until)
    values (${workerId}, ${now.toISOString()}, ${new Date(now.getTime() + 60_000).toISOString()})
        on conflict (worker_id) do update set lease_until = excluded.lease_until
    returning worker_id`,
  )
}

/** By a worker whose lease has just been renewed. */
export async function claim(db: Db, key: JobKey, now = noon, workerId = worker): Promise<ClaimedChunk | null> {
  await givenLease(db, workerId, now)
  return claimUnder(db, key, workerId, now)
}

/** Under a lease as it is. */
export async function claimUnder(db: Db, key: JobKey, workerId: string, now: Date): Promise<ClaimedChunk | null> {
  const job = await readRunningJob(db, key)
  return job === null ? null : permitted(await claimChunk(db, job, workerId, now))
}

/** By a worker whose lease has just been renewed. */
export async function claimDue(
  db: Db,
  key: JobKey,
  by: { workerId: string; limit: number },
  now: Date,
): Promise<ClaimedDeviceJobs | null> {
  await givenLease(db, by.workerId, now)
  return claimDueUnder(db, key, by, now)
}

/** Under a lease as it is. */
export async function claimDueUnder(
  db: Db,
  key: JobKey,
  by: { workerId: string; limit: number },
  now: Date,
): Promise<ClaimedDeviceJobs | null> {
  const job = await readRunningJob(db, key)
  return job === null ? null : permitted(await claimDueDeviceJobs(db, job, by, now))
}

/** Of one claim. */
export async function recordFirstAttempts(
  db: Db,
  claim: ClaimedChunk,
  outcomes: readonly DeviceOutcome[],
  now: Date,
): Promise<Recorded> {
  return one(await recordFirst(db, [{ claim, outcomes }], now))
}

/** Of one claim. */
export async function recordLaterAttempts(
  db: Db,
  claim: ClaimedDeviceJobs,
  outcomes: readonly DeviceOutcome[],
  now: Date,
): Promise<Recorded> {
  return one(await recordLater(db, [{ claim, outcomes }], now))
}

function one<Value>([value]: readonly Value[]): Value {
  if (value === undefined) throw new Error('there is none')
  return value
}

type Failures = Execution['failures']

/** Carries out the next ready chunk of a twin job. Null when there is none. */
export async function execute(
  db: Db,
  key: JobKey,
  failuresOf: (deviceIds: readonly string[]) => Failures = () => [],
  now = noon,
) {
  const job = await readRunningJob(db, key)
  if (job === null) return null
  const locked: { chunk: LockedChunk | null } = { chunk: null }
  const work: ChunkWork['work'] = async (_, chunk) => {
    locked.chunk = chunk
    return { failures: failuresOf(chunk.deviceIds), desired: [] }
  }
  const executed = permitted(await executeChunk(db, job, { work }, now))
  if (executed === null || locked.chunk === null) return null
  const { chunkNo, deviceIds } = locked.chunk
  return { ...executed, chunkNo, deviceIds }
}

/** A claim that a test expects to succeed. */
export async function claimed(db: Db, key: JobKey, now = noon, workerId = worker): Promise<ClaimedChunk> {
  const found = await claim(db, key, now, workerId)
  if (found === null) throw new Error('there was no chunk to claim')
  return found
}

export async function read(db: Db, { jobId }: Job): Promise<Job> {
  const job = await readJob(db, jobId)
  if (job === null) throw new Error(`the job ${jobId} is gone`)
  return job
}

/** Statistics as a short row: [devices, succeeded, failed, running, pending, canceled]. */
export async function counts(db: Db, job: Job): Promise<number[] | null> {
  const { statistics } = await read(db, job)
  return statistics === null
    ? null
    : [
        statistics.deviceCount,
        statistics.succeededCount,
        statistics.failedCount,
        statistics.runningCount,
        statistics.pendingCount,
        statistics.canceledCount,
      ]
}
