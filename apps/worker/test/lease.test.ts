import { jsonText, parseJobId } from '@muster/contract'
import {
  type ClaimedChunk,
  claimChunk,
  connect,
  type Db,
  insertJob,
  migrate,
  type RunningJob,
  readRunningJob,
  recordFirstAttempts,
  releaseExpiredChunks,
  startJob,
} from '@muster/store'
import { createDatabase, eventually, templateDatabase } from '@muster/testkit'
import postgres from 'postgres'
import { expect, inject, it, onTestFinished } from 'vitest'
import type { Claim } from '../src/claim.ts'
import { takeLease } from '../src/lease.ts'
import { cutBefore } from './cut.ts'

const noon = new Date('2026-03-02T12:00:00Z')
const later = (seconds: number) => new Date(noon.getTime() + 1_000 * seconds)

it('J11 a claim whose answer was lost ends with the lease under which it was made, and the others stay', async () => {
  const { cut, db, direct, sql } = await givenPostgres()
  const job = await givenJob(direct, 2)
  const clock = { now: () => noon }
  const known: Claim[] = []
  const lease = await takeLease({ db, clock, events: silent }, () => known)
  const claim = () => lease.claim((workerId) => claimChunk(db, job, workerId, clock.now()))
  const holders = async () => (await sql`select leased_by from chunks order by chunk_no`).map((row) => row.leased_by)
  const first = given(await claim())
  known.push(claimOf(first))

  cut.answerTo('claimChunk')
  await expect(claim()).rejects.toThrow()
  const [before] = await holders()
  expect(await holders()).toEqual([before, before])

  clock.now = () => later(10)
  await eventually(async () => expect(await holders()).toEqual([expect.not.stringMatching(before), before]), {
    timeoutMs: 20_000,
  })
  const released = await releaseExpiredChunks(direct, { limit: 100 }, later(15))

  expect(released).toBe(1)
  expect(await claim()).toMatchObject({ chunkNo: 1, fence: 2 })
  expect((await recordFirstAttempts(direct, first, outcomesOf(first), later(15))).count).toBe(1)
  await lease.stop()
})

it('J11 a worker that stops leaves no lease behind, also when a renewal was lost', async () => {
  const { cut, db, sql } = await givenPostgres()
  const failures: unknown[] = []
  const events = { leaseRenewalFailed: ({ error }: { error: unknown }) => void failures.push(error) }

  cut.answerTo('insert into workers')
  const lease = await takeLease({ db, clock: { now: () => noon }, events }, () => [])
  const lost = await sql`select worker_id from workers`
  await eventually(async () => expect(await sql`select worker_id from workers`).toHaveLength(2), { timeoutMs: 20_000 })
  await lease.stop()

  // That of the lost statement ends by itself.
  expect(failures).toHaveLength(1)
  expect(await sql`select worker_id from workers`).toEqual(lost)
})

const silent = { leaseRenewalFailed: () => {} }

/** A database, its address through something that cuts, and around it. */
async function givenPostgres() {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  const database = await createDatabase(inject('databaseUrl'), { template })
  const cut = await cutBefore(database.url)
  const connection = connect({ url: cut.url, poolSize: 4 })
  const direct = connect({ url: database.url, poolSize: 4 })
  const sql = postgres(database.url, { max: 1, onnotice: () => {} })
  onTestFinished(async () => {
    await sql.end()
    await direct.close()
    await connection.close()
    await cut[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })
  return { cut, db: connection.db, direct: direct.db, sql }
}

/** A running method job with a chunk for each device. */
async function givenJob(db: Db, devices: number): Promise<RunningJob> {
  const job = await insertJob(
    db,
    {
      jobId: parseJobId('job'),
      type: 'scheduleDeviceMethod',
      target: { kind: 'devices', deviceIds: Array.from({ length: devices }, (_, no) => `device-${no}`) },
      body: {},
      startTime: null,
      maxExecutionTimeInSeconds: 3600,
      queryCondition: '*',
    },
    noon,
  )
  await startJob(db, given(job).key, { maxRunningJobs: 1, chunkSize: () => 1 }, noon)
  return given(await readRunningJob(db, given(job).key))
}

function given<Value>(value: Value | null): Value {
  if (value === null) throw new Error('it is not there')
  return value
}

function claimOf(chunk: ClaimedChunk): Claim {
  return {
    kind: 'chunks',
    given: chunk,
    job: chunk.job,
    workerId: 'whose',
    claimedAt: noon,
    deviceCount: 1,
    attempts: [],
    record: () => Promise.reject(new Error('nobody records')),
  }
}

function outcomesOf({ deviceIds }: ClaimedChunk) {
  const response = jsonText({ status: 200, payload: null })
  return deviceIds.map((deviceId) => ({ deviceId, status: 'completed' as const, response }))
}
