import { jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ClaimedChunk, claimChunk } from '../../src/jobs/chunks.ts'
import { claimDueDeviceJobs } from '../../src/jobs/device-jobs.ts'
import { moveClaims } from '../../src/jobs/move-claims.ts'
import { isNotNow } from '../../src/jobs/rollout/permission.ts'
import { releaseExpiredChunks } from '../../src/jobs/sweeps/release-expired-chunks.ts'
import { releaseExpiredDeviceJobs } from '../../src/jobs/sweeps/release-expired-device-jobs.ts'
import { insertWorker, removeWorker, renewWorker, type WorkerLease } from '../../src/jobs/workers.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import {
  claimUnder,
  counts,
  givenDevices,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
} from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeEach(async () => {
  store = await openStore()
  db = store.db
  await givenDevices(db, ['device-0000', 'device-0001', 'device-0002'], { isReachable: false })
})
afterEach(() => store[Symbol.asyncDispose]())

const all = { limit: 100 }

describe('a lease', () => {
  it('J11 keeps what its worker has claimed for as long as it is renewed', async () => {
    const lease = await givenWorker('renewing')
    const job = await givenRunningJob(db, { devices: 3 })
    const chunk = await claimed(job.key, lease)
    expect(await renewWorker(db, lease, on('12:01:50'))).toBe(true)

    await releaseExpiredChunks(db, all, on('12:01:30'))

    expect(await record(chunk)).toEqual({ count: 3, isChunkClosed: true, cancelledAt: null })
  })

  it('J11 that a worker ends gives everything back at once', async () => {
    const lease = await givenWorker('stopping')
    const other = await givenWorker('going on')
    const job = await givenRunningJob(db, { devices: 3 })
    await claimed(job.key, lease)
    await removeWorker(db, lease.workerId)

    await releaseExpiredChunks(db, all, on('12:00:01'))

    expect(await claimUnder(db, job.key, other.workerId, on('12:00:01'))).not.toBeNull()
  })

  it('J11 that has ended, or that nobody has written, gives no claim', async () => {
    const { workerId } = await givenWorker('late')
    const job = await givenRunningJob(db, { devices: 3, chunkSize: 1 })
    const chunk = await claimed(job.key, { workerId })
    await recordFirstAttempts(db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: noon }], noon)
    const claims = (by: string, now: Date) => [
      claimChunk(db, chunk.job, by, now),
      claimDueDeviceJobs(db, chunk.job, { workerId: by, ...all }, now),
    ]

    const ended = await Promise.all([...claims(workerId, on('12:01:00')), ...claims('unknown', noon)])
    const alive = await Promise.all(claims(workerId, on('12:00:59')))

    expect(ended).toEqual([null, null, null, null])
    expect(alive).toMatchObject([{ chunkNo: 1 }, { attempts: [{ attempt: 2 }] }])
  })

  it('J11 leaves nothing behind, once nothing belongs to it any more', async () => {
    const { workerId } = await givenWorker('gone')
    const job = await givenRunningJob(db, { devices: 1 })
    await claimed(job.key, { workerId })
    const isThere = async () => (await rows(db, sql`select from workers where worker_id = ${workerId}`)).length > 0

    await releaseExpiredChunks(db, all, on('12:01:00'))
    const whileItHeld = await isThere()
    await releaseExpiredChunks(db, all, on('12:01:01'))

    expect([whileItHeld, await isThere()]).toEqual([true, false])
  })
})

describe('a worker that may hold more than it knows', () => {
  it('J11 takes another lease with what it knows, and the rest ends with the old one', async () => {
    const old = await givenWorker('old')
    const job = await givenRunningJob(db, { devices: 3, chunkSize: 1 })
    const first = await claimed(job.key, old)
    await recordFirstAttempts(db, first, [{ deviceId: 'device-0000', status: 'pending', dueAt: noon }], noon)
    const retried = await claimDueDeviceJobs(db, first.job, { ...old, ...all }, noon)
    const known = await claimed(job.key, old)
    const unknown = await claimed(job.key, old)
    const next = { workerId: 'next', leaseUntil: on('12:01:10') }

    await insertWorker(db, next, on('12:00:10'))
    await moveClaims(db, next.workerId, {
      chunks: [known],
      deviceJobs: retried === null || isNotNow(retried) ? [] : [retried],
    })
    const released = [
      await releaseExpiredChunks(db, all, on('12:01:00')),
      await releaseExpiredDeviceJobs(db, all, on('12:01:00')),
    ]

    expect(released).toEqual([1, 0])
    expect([(await record(known)).count, (await record(unknown)).count]).toEqual([1, 0])
    expect(await counts(db, job)).toEqual([3, 1, 0, 1, 1, 0])
  })

  it('J4 J11 takes nothing along that others have claimed since', async () => {
    const frozen = await givenWorker('frozen')
    const job = await givenRunningJob(db, { devices: 3 })
    const lost = await claimed(job.key, frozen)
    await releaseExpiredChunks(db, all, on('12:01:00'))
    const other = { workerId: 'other', leaseUntil: on('12:02:00') }
    await insertWorker(db, other, on('12:01:00'))
    const taken = await claimUnder(db, job.key, other.workerId, on('12:01:00'))

    await insertWorker(db, { workerId: 'thawed', leaseUntil: on('12:02:00') }, on('12:01:00'))
    await moveClaims(db, 'thawed', { chunks: [lost], deviceJobs: [] })
    await removeWorker(db, 'thawed')

    expect(await releaseExpiredChunks(db, all, on('12:01:01'))).toBe(0)
    expect(taken === null ? null : await record(taken)).toEqual({ count: 3, isChunkClosed: true, cancelledAt: null })
  })
})

it('J4 J11 two workers with one id harm nobody: the second that renews takes another, and each records what it has claimed', async () => {
  const first = await givenWorker('twofold')
  const second = { ...first }
  const job = await givenRunningJob(db, { devices: 3, chunkSize: 1 })
  const [ofFirst, ofSecond, ofTheDead] = [
    await claimed(job.key, first),
    await claimed(job.key, second),
    await claimed(job.key, second),
  ]

  const renewals = await Promise.all([renewWorker(db, first, on('12:01:03')), renewWorker(db, second, on('12:01:04'))])
  const [owner, leaver] = renewals[0] ? [ofFirst, ofSecond] : [ofSecond, ofFirst]
  await insertWorker(db, { workerId: 'of its own', leaseUntil: on('12:01:30') }, on('12:00:04'))
  await moveClaims(db, 'of its own', { chunks: [leaver], deviceJobs: [] })
  const counted = [(await record(owner)).count, (await record(leaver)).count]
  await removeWorker(db, first.workerId)

  expect(renewals.toSorted()).toEqual([false, true])
  expect(counted).toEqual([1, 1])
  expect(await releaseExpiredChunks(db, all, on('12:00:05'))).toBe(1)
  expect((await record(ofTheDead)).count).toBe(0)
  expect(await counts(db, job)).toEqual([3, 2, 0, 0, 1, 0])
})

/** A worker that may claim for a minute. */
async function givenWorker(workerId: string): Promise<WorkerLease> {
  const lease = { workerId, leaseUntil: on('12:01:00') }
  await insertWorker(db, lease, noon)
  return lease
}

async function claimed(key: Parameters<typeof claimUnder>[1], { workerId }: { workerId: string }) {
  const chunk = await claimUnder(db, key, workerId, noon)
  if (chunk === null) throw new Error('there was no chunk to claim')
  return chunk
}

function record(chunk: ClaimedChunk) {
  const response = jsonText({ status: 200, payload: null })
  const outcomes = chunk.deviceIds.map((deviceId) => ({ deviceId, status: 'completed' as const, response }))
  return recordFirstAttempts(db, chunk, outcomes, noon)
}
