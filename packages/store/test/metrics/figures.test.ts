import { type DeviceJobStatus, gatewayId, jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hubItself } from '../../src/jobs/job-events.ts'
import { cancelJob } from '../../src/jobs/jobs.ts'
import { pauseJob } from '../../src/jobs/rollout/pause.ts'
import { ensurePartitions } from '../../src/jobs/start/partitions.ts'
import { removeWorker } from '../../src/jobs/workers.ts'
import { readDatabaseFigures } from '../../src/metrics/database-figures.ts'
import { readIntegrityFigures } from '../../src/metrics/integrity.ts'
import { readJobFigures } from '../../src/metrics/job-figures.ts'
import { readWorkFigures } from '../../src/metrics/work-figures.ts'
import type { Db } from '../../src/postgres/sql.ts'
import { rows } from '../../src/postgres/sql.ts'
import { heartbeat } from '../../src/sessions/gateways.ts'
import {
  claim,
  claimDue,
  deviceNames,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
  start,
} from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db
beforeEach(async () => {
  store = await openStore()
  db = store.db
})
afterEach(() => store[Symbol.asyncDispose]())

const noWork = { ready: 0, due: 0, leased: 0, waiting: 0, oldestReadySeconds: 0 }
const sound = { endedJobsWithOpenChunks: 0, goneWorkersWithWork: 0, wrongCounters: 0 }

describe('the figures of jobs', () => {
  it('count those that have not ended, and those past their window', async () => {
    await givenJob(db, { startTime: on('13:00:00') })
    await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 60 })
    await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 600 })
    const ended = await givenRunningJob(db, { devices: 1 })
    await cancelJob(db, ended.jobId, noon)

    expect(await readJobFigures(db, on('12:01:00'))).toEqual({
      queued: 1,
      scheduled: 0,
      running: 2,
      overdue: 1,
      paused: 0,
    })
  })

  it('count those that are paused, whose window is not over', async () => {
    const jobs = [await givenJob(db), await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 60 })]
    for (const { key } of jobs) await pauseJob(db, key, { asker: hubItself, reason: null }, noon)

    expect(await readJobFigures(db, on('12:01:00'))).toMatchObject({ queued: 1, running: 1, overdue: 0, paused: 2 })
  })
})

describe('the figures of work', () => {
  it('are 0 of an empty hub', async () => {
    expect(await readWorkFigures(db, noon)).toEqual(noWork)
  })

  it('count devices by what they wait for', async () => {
    const job = await givenRunningJob(db, { devices: 25, chunkSize: 5 })
    await attempt(job.key, [null, null, on('12:01:00'), on('12:30:00'), 'failed'])
    await claim(db, job.key)

    expect(await readWorkFigures(db, on('12:02:00'))).toEqual({
      ready: 15,
      due: 1,
      leased: 5,
      waiting: 3,
      oldestReadySeconds: 120,
    })
  })

  it('leave out a paused job, and the age of a job with a rate of its own', async () => {
    const paused = await givenRunningJob(db, { devices: 5 })
    const limited = await givenRunningJob(db, { devices: 3 })
    await rows(db, sql`update jobs set paused_at = ${noon.toISOString()} where job_key = ${paused.key}`)
    await rows(db, sql`update jobs set rate = 60 where job_key = ${limited.key}`)

    expect(await readWorkFigures(db, on('12:02:00'))).toEqual({ ...noWork, ready: 3 })
  })

  it('say how long a due device job has waited', async () => {
    const job = await givenRunningJob(db, { devices: 5, chunkSize: 5 })
    await attempt(job.key, [on('12:01:00'), null, null, null, null])

    expect(await readWorkFigures(db, on('12:01:30'))).toMatchObject({ due: 1, waiting: 4, oldestReadySeconds: 30 })
  })
})

describe('the figures of integrity', () => {
  it('find nothing in a hub that is sound, whatever the place at which they look', async () => {
    const job = await givenRunningJob(db, { devices: 10, chunkSize: 5 })
    await givenRunningJob(db, { devices: 10, chunkSize: 5 })
    await attempt(job.key, [null, on('12:01:00'), 'failed', 'completed', null])
    await claimDue(db, job.key, { workerId: 'worker-2', limit: 1 }, on('12:01:00'))
    await claim(db, job.key, on('12:01:00'))

    for (const random of [0, 0.5, 0.999]) {
      expect(await readIntegrityFigures(db, on('12:02:00'), random)).toEqual(sound)
    }
  })

  it('find a counter that its rows do not have', async () => {
    const job = await givenRunningJob(db, { devices: 5, chunkSize: 5 })
    await attempt(job.key, ['failed', null, null, null, null])
    await rows(db, sql`update chunks set failed = 0, succeeded = 1`)

    expect(await readIntegrityFigures(db, noon, 0)).toEqual({ ...sound, wrongCounters: 1 })
  })

  it('find work of a worker that has been gone for more than two leases', async () => {
    const job = await givenRunningJob(db, { devices: 5 })
    await claim(db, job.key)

    expect(await readIntegrityFigures(db, on('12:01:29'), 0)).toEqual(sound)
    expect(await readIntegrityFigures(db, on('12:01:31'), 0)).toEqual({ ...sound, goneWorkersWithWork: 1 })
  })

  it('find a job that ended long ago and has an open chunk', async () => {
    const job = await givenRunningJob(db, { devices: 5 })
    await claim(db, job.key)
    await cancelJob(db, job.jobId, noon)
    await removeWorker(db, 'worker-1')

    expect(await readIntegrityFigures(db, on('12:14:00'), 0)).toEqual(sound)
    expect(await readIntegrityFigures(db, on('12:16:00'), 0)).toEqual({ ...sound, endedJobsWithOpenChunks: 1 })
  })
})

describe('the figures of the database', () => {
  it('count live gateways and workers, and the weeks that are prepared', async () => {
    await ensurePartitions(db, noon)
    await ensurePartitions(db, new Date('2026-03-09T12:00:00Z'))
    await heartbeat(db, { gatewayId: gatewayId('gateway-1'), connections: 0 }, noon)
    await heartbeat(db, { gatewayId: gatewayId('gateway-2'), connections: 0 }, on('11:59:00'))
    const job = await givenJob(db)
    await start(db, job.key)
    await claim(db, job.key)

    const figures = await readDatabaseFigures(db, noon)

    expect(figures).toMatchObject({ schemaVersion: 11, partitionsAheadWeeks: 1, gateways: 1, workers: 1 })
    expect(figures.databaseBytes).toBeGreaterThan(1_000_000)
  })
})

/** Claims the next chunk and records an outcome on each of its devices: an end, or when it is due; null: when it connects. */
async function attempt(key: Parameters<typeof claim>[1], outcomes: readonly (DeviceJobStatus | Date | null)[]) {
  const claimed = await claim(db, key)
  if (claimed === null) throw new Error('no chunk is ready')
  await recordFirstAttempts(
    db,
    claimed,
    outcomes.map((outcome, no) => {
      const deviceId = claimed.deviceIds[no] ?? deviceNames(1)[0] ?? ''
      if (outcome === 'failed')
        return { deviceId, status: 'failed', error: { code: 'GatewayTimeout', description: '' } }
      if (outcome === 'completed') return { deviceId, status: 'completed', response: jsonText({}) }
      return { deviceId, status: 'pending', dueAt: outcome instanceof Date ? outcome : null }
    }),
    noon,
  )
}
