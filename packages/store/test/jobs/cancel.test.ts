import { EventEmitter, once } from 'node:events'
import { jsonText } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunningJob } from '../../src/jobs/chunks.ts'
import { executeChunk } from '../../src/jobs/execute-chunk.ts'
import { cancelJob, completeJob } from '../../src/jobs/jobs.ts'
import { connect } from '../../src/postgres/connect.ts'
import { isDatabaseLost } from '../../src/postgres/database-error.ts'
import type { Db } from '../../src/postgres/sql.ts'
import {
  claim,
  claimed,
  counts,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
} from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('cancelling', () => {
  it('J6 ends what has not started, and lets what is in flight finish and count', async () => {
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 2 })
    const chunk = await claimed(db, job.key)

    const cancelled = await cancelJob(db, job.jobId, noon)
    const whileInFlight = await counts(db, job)
    await recordFirstAttempts(
      db,
      chunk,
      chunk.deviceIds.map((deviceId) => ({ deviceId, status: 'completed', response: jsonText({}) }) as const),
      noon,
    )

    expect(cancelled).toMatchObject({ kind: 'cancelled', job: { status: 'cancelled' } })
    expect(whileInFlight).toEqual([4, 0, 0, 2, 0, 2])
    expect(await counts(db, job)).toEqual([4, 2, 0, 0, 0, 2])
  })

  it('tells who records an outcome later when it was', async () => {
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 2 })
    const chunk = await claimed(db, job.key)
    const record = (deviceIds: readonly string[]) =>
      recordFirstAttempts(
        db,
        chunk,
        deviceIds.map((deviceId) => ({ deviceId, status: 'completed', response: jsonText({}) }) as const),
        noon,
      )

    const before = await record(chunk.deviceIds.slice(0, 1))
    await cancelJob(db, job.jobId, on('12:00:05'))
    const after = await record(chunk.deviceIds.slice(1))

    expect([before.cancelledAt, after.cancelledAt]).toEqual([null, on('12:00:05')])
  })

  it('J6 lets no attempt start after it', async () => {
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 2 })

    await cancelJob(db, job.jobId, noon)

    expect(await claim(db, job.key)).toBeNull()
  })

  it('J19 is not starved by claims that come and go, and no claim succeeds after it', async () => {
    const job = await givenRunningJob(db, { devices: 400, chunkSize: 1 })
    let isCancelled = false
    const claiming = Array.from({ length: 6 }, async () => {
      let claims = 0
      while (!isCancelled) if ((await claim(db, job.key)) !== null) claims += 1
      return claims
    })

    const cancelled = await cancelJob(db, job.jobId, noon)
    const atOnce = await counts(db, job)
    isCancelled = true
    const claims = (await Promise.all(claiming)).reduce((sum, count) => sum + count, 0)

    expect(cancelled.kind).toBe('cancelled')
    expect(atOnce).toEqual([400, 0, 0, claims, 0, 400 - claims])
  })

  it('J19 waits for no worker that is frozen in the middle of a chunk', async () => {
    await using impatient = openImpatient()
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 2, type: 'scheduleUpdateTwin' })
    const running = await readRunningJob(db, job.key)
    if (running === null) throw new Error('the job has ended')
    const process = new EventEmitter()
    const work = async () => {
      process.emit('frozen')
      await once(process, 'thawed')
      return { failures: [], desired: [] }
    }
    const isFrozen = once(process, 'frozen')
    const frozen = executeChunk(db, running, { work }, noon)
    await isFrozen

    const cancelled = await cancelJob(impatient.db, job.jobId, noon)
    process.emit('thawed')

    expect(cancelled.kind).toBe('cancelled')
    await expect(frozen).rejects.toSatisfy(isDatabaseLost)
    expect(await counts(db, job)).toEqual([4, 0, 0, 0, 0, 4])
  })

  it('J6 counts what would be tried again in a cancelled job as canceled', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const chunk = await claimed(db, job.key)
    await cancelJob(db, job.jobId, noon)

    await recordFirstAttempts(
      db,
      chunk,
      [
        { deviceId: 'device-0000', status: 'pending', dueAt: on('12:00:01') },
        { deviceId: 'device-0001', status: 'pending', dueAt: null },
      ],
      noon,
    )

    expect(await counts(db, job)).toEqual([2, 0, 0, 0, 0, 2])
  })

  it('succeeds again on a cancelled job, and is refused on any other ended one', async () => {
    const cancelled = await givenJob(db)
    const first = await cancelJob(db, cancelled.jobId, noon)
    const completed = await givenRunningJob(db, { devices: 0 })
    await completeJob(db, completed.key, noon)

    expect(first).toMatchObject({ kind: 'cancelled', isRepeated: false })
    expect(await cancelJob(db, cancelled.jobId, on('13:00:00'))).toMatchObject({
      kind: 'cancelled',
      isRepeated: true,
      job: { endTime: noon },
    })
    expect(await cancelJob(db, completed.jobId, noon)).toEqual({ kind: 'terminal', status: 'completed' })
    expect(await cancelJob(db, 'nobody', noon)).toEqual({ kind: 'missing' })
  })
})

/** Whoever has to wait for a lock longer than a cancel may take gets an error. */
function openImpatient() {
  const { db, close } = connect({ url: `${store.url}?options=-c lock_timeout=2s`, poolSize: 1 })
  return { db, [Symbol.asyncDispose]: close }
}

/** The ids of the jobs on each page; `meanwhile` happens between two of them. */
