import { jsonText } from '@muster/contract'
import { eventually } from '@muster/testkit'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeChunks } from '../../src/jobs/close-chunks.ts'
import { markDueWhereReachable, markReachable } from '../../src/jobs/device-jobs.ts'
import { ChunkError } from '../../src/jobs/execute-chunk.ts'
import { cancelJob, completeJob } from '../../src/jobs/jobs.ts'
import type { DeviceOutcome } from '../../src/jobs/record-attempts.ts'
import { expireOverdueJobs } from '../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { findDrainedJobs } from '../../src/jobs/sweeps/find-drained-jobs.ts'
import { findForgottenWork } from '../../src/jobs/sweeps/find-forgotten-work.ts'
import { markForgottenReachable } from '../../src/jobs/sweeps/mark-forgotten-reachable.ts'
import { releaseExpiredChunks } from '../../src/jobs/sweeps/release-expired-chunks.ts'
import { releaseExpiredDeviceJobs } from '../../src/jobs/sweeps/release-expired-device-jobs.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import {
  claim,
  claimDue,
  claimed,
  counts,
  countWaiting,
  execute,
  givenDevices,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
  recordLaterAttempts,
  worker,
} from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenDevices(db, ['device-0000', 'device-0001', 'device-0002'], { isReachable: false })
})
afterAll(() => store[Symbol.asyncDispose]())

const all = { limit: 100 }
const other = 'worker-2'

describe('a claimed chunk', () => {
  it('J4 cannot be overwritten by a worker that lost its lease', async () => {
    const job = await givenRunningJob(db, { devices: 3 })
    const first = await claimed(db, job.key)
    await releaseExpiredChunks(db, all, on('12:02:00'))
    await claimed(db, job.key, on('12:02:00'), other)

    const late = await recordFirstAttempts(db, first, completed(first.deviceIds), on('12:02:01'))

    expect(late.count).toBe(0)
    expect(await counts(db, job)).toEqual([3, 0, 0, 3, 0, 0])
  })

  it('J4 is claimed by one of many that try at once', async () => {
    const job = await givenRunningJob(db, { devices: 40, chunkSize: 10 })

    const claims = await Promise.all(Array.from({ length: 10 }, () => claim(db, job.key)))

    const chunkNos = claims.flatMap((one) => (one === null ? [] : [one.chunkNo])).sort()
    expect(chunkNos).toEqual([0, 1, 2, 3])
  })

  it('J5 moves its counters by exactly the outcomes that it writes, each once', async () => {
    const job = await givenRunningJob(db, { devices: 3 })
    const chunk = await claimed(db, job.key)

    await recordFirstAttempts(db, chunk, completed(['device-0000']), noon)
    const repeated = await recordFirstAttempts(db, chunk, completed(['device-0000']), noon)
    const rest = await recordFirstAttempts(
      db,
      chunk,
      [failed('device-0001'), { deviceId: 'device-0002', status: 'pending', dueAt: on('12:00:05') }],
      noon,
    )

    expect([repeated.count, rest.count, rest.isChunkClosed]).toEqual([0, 2, false])
    expect(await counts(db, job)).toEqual([3, 1, 1, 0, 1, 0])
  })

  it('J11 is ready again when its worker is gone, and only for what has not been recorded', async () => {
    const job = await givenRunningJob(db, { devices: 3 })
    const first = await claimed(db, job.key)
    await recordFirstAttempts(db, first, completed(['device-0001']), noon)

    await releaseExpiredChunks(db, all, on('12:02:00'))
    const pendingAgain = await counts(db, job)
    const second = await claimed(db, job.key, on('12:02:00'), other)

    expect(pendingAgain).toEqual([3, 1, 0, 0, 2, 0])
    expect(second.deviceIds).toEqual(['device-0000', 'device-0002'])
    expect(await counts(db, job)).toEqual([3, 1, 0, 2, 0, 0])
  })
})

describe('the end of the window', () => {
  it('J7 fails what has not started, lets what is in flight finish, and then the job is complete', async () => {
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 2, maxExecutionTimeInSeconds: 60 })
    const chunk = await claimed(db, job.key)

    await expireOverdueJobs(db, all, on('12:01:00'))
    const atTheEnd = await counts(db, job)
    const early = await completeJob(db, job.key, on('12:01:00'))
    await recordFirstAttempts(db, chunk, completed(chunk.deviceIds), on('12:01:05'))
    const ended = await completeJob(db, job.key, on('12:01:05'))

    expect(atTheEnd).toEqual([4, 0, 2, 2, 0, 0])
    expect(early).toBeNull()
    expect(ended).toMatchObject({ status: 'completed', statistics: { succeededCount: 2, failedCount: 2 } })
  })

  it('J7 lets no attempt start after it, even before the sweep', async () => {
    const job = await givenRunningJob(db, { devices: 4, maxExecutionTimeInSeconds: 60 })

    expect(await claim(db, job.key, on('12:01:00'))).toBeNull()
  })

  it('J7 regression: lets nothing be tried again by a worker whose clock is behind that of the sweep', async () => {
    const job = await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 60 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: noon }], noon)
    await expireOverdueJobs(db, all, on('12:01:00'))

    expect(await claimDue(db, job.key, { workerId: worker, ...all }, on('12:00:59'))).toBeNull()
    expect(await counts(db, job)).toEqual([1, 0, 1, 0, 0, 0])
  })

  it('J7 regression: starts no attempt that waited for the chunk while the window was closed', async () => {
    const job = await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 60 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: noon }], noon)

    const { due } = await db.transaction(async (tx) => {
      await closeChunks(tx, job.key, chunk.job.week, 'expired', on('12:01:00'))
      const claiming = claimDue(db, job.key, { workerId: worker, ...all }, on('12:00:59'))
      await eventually(async () => expect(await countWaiting(db)).toBe(1))
      return { due: claiming }
    })

    expect(await due).toBeNull()
    expect(await counts(db, job)).toEqual([1, 0, 1, 0, 0, 0])
  })

  it('J7 counts what a dead worker had in flight as failed', async () => {
    const job = await givenRunningJob(db, { devices: 2, maxExecutionTimeInSeconds: 30 })
    await claimed(db, job.key)
    await expireOverdueJobs(db, all, on('12:00:30'))

    await releaseExpiredChunks(db, all, on('12:02:00'))

    expect(await counts(db, job)).toEqual([2, 0, 2, 0, 0, 0])
    const { drained } = await findDrainedJobs(db, { ...all, after: null }, on('12:02:00'))
    expect(drained).toContain(job.key)
  })
})

describe('a device job that waits for its device', () => {
  it('J8 is due once the device is reachable, and holds no lease before', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [waiting('device-0000'), waiting('device-0001')], noon)
    const before = await claimDue(db, job.key, { workerId: worker, ...all }, on('12:10:00'))

    const keys = await markReachable(db, ['device-0001'], on('12:10:00'))
    const due = await claimDue(db, job.key, { workerId: worker, ...all }, on('12:10:00'))

    expect(before).toBeNull()
    expect(keys).toEqual([job.key])
    expect(due?.attempts).toEqual([
      {
        deviceId: 'device-0001',
        attempt: 2,
        deliveries: 0,
        unknownDeliveries: 0,
        notNows: 0,
        askedSince: on('12:10:00'),
      },
    ])
    expect(await counts(db, job)).toEqual([2, 0, 0, 1, 1, 0])
  })

  it('J8 is due at once when the device connected while the wait was being written', async () => {
    await givenDevices(db, ['device-0003'], { isReachable: true })
    const job = await givenRunningJob(db, { devices: 4 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [waiting('device-0002'), waiting('device-0003')], noon)

    const due = await markDueWhereReachable(db, chunk.job, ['device-0002', 'device-0003'], noon)

    expect(due).toBe(1)
    expect(await findForgottenWork(db, all, noon)).toContainEqual({
      key: job.key,
      type: job.type,
      priority: 500,
      kind: 'due',
    })
  })

  it('J8 is found by a sweep when the word of the gateway was lost', async () => {
    await givenDevices(db, ['device-0004'], { isReachable: true })
    const job = await givenRunningJob(db, { devices: 5 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [waiting('device-0004')], noon)

    expect(await markForgottenReachable(db, { ...all, after: null }, noon)).toMatchObject({ count: 1 })
  })

  it('J8 of an ended job wakes nobody', async () => {
    const job = await givenRunningJob(db, { devices: 1 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [waiting('device-0000')], noon)
    await cancelJob(db, job.jobId, noon)

    expect(await markReachable(db, ['device-0000'], noon)).not.toContain(job.key)
  })
})

describe('a device job that is tried again', () => {
  it('J9 is due after its backoff, with the next attempt number', async () => {
    const job = await givenRunningJob(db, { devices: 1 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: on('12:00:05') }], noon)

    const early = await claimDue(db, job.key, { workerId: worker, ...all }, on('12:00:04'))
    const due = await claimDue(db, job.key, { workerId: worker, ...all }, on('12:00:05'))

    expect(early).toBeNull()
    expect(due?.attempts).toEqual([
      {
        deviceId: 'device-0000',
        attempt: 2,
        deliveries: 0,
        unknownDeliveries: 0,
        notNows: 0,
        askedSince: on('12:00:05'),
      },
    ])
  })

  it('J4 cannot be overwritten by a worker that lost it', async () => {
    const job = await givenRunningJob(db, { devices: 1 })
    const first = await dueAttempt(job.key, await claimed(db, job.key))
    await releaseExpiredDeviceJobs(db, all, on('12:02:00'))
    const second = await claimDue(db, job.key, { workerId: other, ...all }, on('12:02:00'))
    if (first === null || second === null) throw new Error('nothing was due')

    const late = await recordLaterAttempts(db, first, completed(['device-0000']), on('12:02:01'))
    const ours = await recordLaterAttempts(db, second, [failed('device-0000')], on('12:02:02'))

    expect([late.count, ours]).toEqual([0, { count: 1, isChunkClosed: true, cancelledAt: null }])
    expect(await counts(db, job)).toEqual([1, 0, 1, 0, 0, 0])
  })

  it('J6 counts as canceled when it is released in a cancelled job', async () => {
    const job = await givenRunningJob(db, { devices: 1 })
    await dueAttempt(job.key, await claimed(db, job.key))
    await cancelJob(db, job.jobId, noon)

    await releaseExpiredDeviceJobs(db, all, on('12:02:00'))

    expect(await counts(db, job)).toEqual([1, 0, 0, 0, 0, 1])
  })
})

describe('a chunk of a job that never leaves Postgres', () => {
  it('J10 leaves nothing when the transaction that does its work is lost', async () => {
    const job = await givenRunningJob(db, { devices: 3, type: 'scheduleUpdateTwin' })

    const crash = db.transaction(async (tx) => {
      await execute(tx, job.key)
      throw new Error('the process is gone')
    })

    await expect(crash).rejects.toThrow('the process is gone')
    expect(await counts(db, job)).toEqual([3, 0, 0, 0, 3, 0])
  })

  it('J32 is put off when its transaction fails, and the next one has its turn', async () => {
    const job = await givenRunningJob(db, { devices: 2, chunkSize: 1, type: 'scheduleUpdateTwin' })

    const failing = execute(db, job.key, () => {
      throw new Error('it cannot be done')
    })
    await expect(failing).rejects.toThrow(ChunkError)
    const next = await execute(db, job.key)
    const none = await execute(db, job.key)
    const forgotten = await findForgottenWork(db, all, noon)
    const again = await execute(db, job.key, () => [], on('12:00:01'))

    expect([next?.chunkNo, none, again?.chunkNo]).toEqual([1, null, 0])
    expect(forgotten.map(({ key }) => key)).not.toContain(job.key)
    expect(await counts(db, job)).toEqual([2, 2, 0, 0, 0, 0])
  })

  it('J10 counts those that failed, and keeps a row of their own only for them', async () => {
    const job = await givenRunningJob(db, { devices: 3, type: 'scheduleUpdateTwin' })

    await execute(db, job.key, () => [gone])

    const kept = await rows<{ device_id: string }>(
      db,
      sql`select device_id from device_jobs where job_key = ${job.key}`,
    )
    expect(kept).toEqual([{ device_id: 'device-0002' }])
    expect(await counts(db, job)).toEqual([3, 2, 1, 0, 0, 0])
  })
})

const gone = { deviceId: 'device-0002', error: { code: 'DeviceNotFound', description: 'gone' } } as const

/** Sends the only device of a claimed chunk into its second attempt. */
async function dueAttempt(key: Parameters<typeof claimDue>[1], chunk: Awaited<ReturnType<typeof claimed>>) {
  await recordFirstAttempts(db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: noon }], noon)
  return claimDue(db, key, { workerId: worker, ...all }, noon)
}

function completed(deviceIds: readonly string[]): DeviceOutcome[] {
  return deviceIds.map((deviceId) => ({
    deviceId,
    status: 'completed',
    response: jsonText({ status: 200, payload: null }),
  }))
}

function failed(deviceId: string): DeviceOutcome {
  return { deviceId, status: 'failed', error: { code: 'GatewayTimeout', description: 'no answer' } }
}

function waiting(deviceId: string): DeviceOutcome {
  return { deviceId, status: 'pending', dueAt: null }
}
