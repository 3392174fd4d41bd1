import type { Job } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cancelJob, putOffStart } from '../../../src/jobs/jobs.ts'
import { pauseJob } from '../../../src/jobs/rollout/pause.ts'
import { whyDevice } from '../../../src/jobs/why/why-device.ts'
import { whyJob } from '../../../src/jobs/why/why-job.ts'
import type { Db } from '../../../src/postgres/sql.ts'
import { forgetJobs } from '../../forget-jobs.ts'
import {
  claimed,
  deviceNames,
  givenDevices,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
  start,
} from '../engine.ts'
import { setChunks, setJob } from '../rollout/set-rows.ts'
import { givenStagedJob } from '../stages/staged.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenDevices(db, deviceNames(4), { isReachable: false })
})
afterAll(() => store[Symbol.asyncDispose]())
beforeEach(() => forgetJobs(db))

describe('R120 why a job is as it is', () => {
  it('tells of one that has not started: its time, a failed start, a place', async () => {
    const later = await givenJob(db, { jobId: 'later', startTime: on('13:00:00') })
    const failed = await givenJob(db, { jobId: 'failed' })
    await putOffStart(db, failed.key, noon)
    await start(db, (await givenJob(db, { jobId: 'runs' })).key)
    await givenJob(db, { jobId: 'waits' })

    expect(await reasons(later)).toEqual([{ code: 'startTime', text: 'The job starts later.', until: on('13:00:00') }])
    expect(await reasons(failed)).toMatchObject([
      { code: 'startFailed', text: 'The start has failed 1 times, and is tried again.', until: expect.any(Date) },
    ])
    expect(await whyJob(db, 'waits', { maxRunningJobs: 1 }, noon)).toMatchObject({
      status: 'queued',
      reasons: [{ code: 'place', text: '1 of 1 places are taken by running jobs, and 0 jobs come before this one.' }],
    })
  })

  it('tells of a pause, by whom, why and until when, and of nothing else', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const asker = { actor: 'policy:service', clientAddress: null }
    await db.transaction((tx) => pauseJob(tx, job.key, { asker, reason: 'too hot', timeoutSeconds: 60 }, noon))

    expect(await reasons(job)).toEqual([
      {
        code: 'paused',
        text: 'The job is paused since 2026-03-02T12:00:00.000Z, by policy:service: too hot. The pause then ends with a cancel.',
        until: on('12:01:00'),
      },
    ])
  })

  it('tells what becomes of the devices of a running one, and how many they are', async () => {
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 3 })
    const claim = await claimed(db, job.key)
    await recordFirstAttempts(
      db,
      claim,
      [
        { deviceId: 'device-0000', status: 'pending', dueAt: null },
        { deviceId: 'device-0001', status: 'pending', dueAt: on('12:00:30') },
      ],
      noon,
    )

    expect(await reasons(job)).toMatchObject([
      { code: 'connection', deviceCount: 1, until: on('13:00:00') },
      { code: 'retry', deviceCount: 1, until: on('12:00:30') },
      { code: 'running', deviceCount: 1 },
      { code: 'ready', deviceCount: 1 },
    ])
  })

  it('tells of the gate of its open stage, its rate, its limit in flight, and of held and failing chunks', async () => {
    const staged = await givenStagedJob(
      db,
      { stages: [{ size: 1, approval: 'manual' }, {}] },
      { devices: deviceNames(3) },
    )
    const limited = await givenRunningJob(db, { devices: 3, chunkSize: 1 })
    await claimed(db, limited.key)
    await setJob(
      db,
      limited,
      sql`rate = 6, max_in_flight = 1, rate_free_at = ${on('12:00:10').toISOString()}::timestamptz`,
    )
    await setChunks(db, limited, [2], sql`status = 'held'`)
    const failing = await givenRunningJob(db, { devices: 1 })
    await setChunks(db, failing, [0], sql`claims = 3, not_before = ${on('12:00:04').toISOString()}::timestamptz`)

    expect(await reasons(staged)).toMatchObject([
      { code: 'stage', deviceCount: 2 },
      { code: 'ready', deviceCount: 1 },
    ])
    expect(await reasons(limited)).toMatchObject([
      { code: 'rate', until: on('12:00:10') },
      { code: 'held', deviceCount: 1 },
      { code: 'running', deviceCount: 1 },
      { code: 'inFlight', text: '1 devices are in flight, of at most 1.', deviceCount: 1 },
    ])
    expect(await reasons(failing)).toMatchObject([{ code: 'chunkFailed', deviceCount: 1, until: on('12:00:04') }])
  })

  it('tells of closed windows, by zone, and counts nobody as ready', async () => {
    const windows = [{ cron: '0 2 * * *', durationMinutes: 60 }]
    const job = await givenJob(db, { jobId: 'night', devices: deviceNames(2), extensions: { windows } })
    await start(db, job.key)
    const until = new Date('2026-03-03T02:00:00Z')

    expect(await reasons(job)).toEqual([
      { code: 'window', text: 'Every window is closed for devices of the zone UTC.', until },
    ])
    expect(await device(job, 'device-0001')).toMatchObject({ reasons: [{ code: 'window', until }] })
  })

  it('tells why it has ended, and of one that nobody knows nothing', async () => {
    const job = await givenRunningJob(db, { devices: 1 })
    await cancelJob(db, job.jobId, noon)

    expect(await reasons(job)).toEqual([{ code: 'ended', text: 'The job is cancelled.' }])
    expect(await whyJob(db, 'nobody', { maxRunningJobs: 1 }, noon)).toBeNull()
  })
})

describe('R121 why a device of a job is as it is', () => {
  it('tells of the connection that it waits for, its next attempt, its attempt, and its turn', async () => {
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 3 })
    const claim = await claimed(db, job.key)
    await recordFirstAttempts(
      db,
      claim,
      [
        { deviceId: 'device-0000', status: 'pending', dueAt: null },
        { deviceId: 'device-0001', status: 'pending', dueAt: on('12:00:30') },
      ],
      noon,
    )

    expect(await Promise.all([0, 1, 2, 3].map((no) => device(job, `device-000${no}`)))).toMatchObject([
      {
        status: 'pending',
        reasons: [{ code: 'connection', text: 'The device is not connected.', until: on('13:00:00') }],
      },
      { status: 'pending', reasons: [{ code: 'retry', until: on('12:00:30') }] },
      { status: 'running', reasons: [{ code: 'running' }] },
      { status: 'pending', reasons: [{ code: 'ready' }] },
    ])
  })

  it('tells of the gate before its stage, and not to devices of open ones', async () => {
    const job = await givenStagedJob(
      db,
      { stages: [{ size: 1, approval: 'manual' }, {}], order: 'id' },
      { devices: deviceNames(2) },
    )

    expect(await device(job, 'device-0000')).toMatchObject({ reasons: [{ code: 'ready' }] })
    expect(await device(job, 'device-0001')).toMatchObject({ reasons: [{ code: 'stage' }] })
  })

  it('tells of a pause of its job beside its own wait, and how it has ended', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const claim = await claimed(db, job.key)
    const error = { code: 'GatewayTimeout', description: 'no answer' } as const
    await recordFirstAttempts(
      db,
      claim,
      [
        { deviceId: 'device-0000', status: 'failed', error },
        { deviceId: 'device-0001', status: 'pending', dueAt: null },
      ],
      noon,
    )
    await db.transaction((tx) => pauseJob(tx, job.key, { asker: nobody, reason: null }, noon))

    expect(await device(job, 'device-0000')).toMatchObject({
      status: 'failed',
      reasons: [{ code: 'ended', text: 'The device job is failed with GatewayTimeout: no answer' }],
    })
    expect(await device(job, 'device-0001')).toMatchObject({ reasons: [{ code: 'paused' }, { code: 'connection' }] })
  })

  it('tells apart who is no target, and a job that is not there', async () => {
    const job = await givenRunningJob(db, { devices: 1 })

    expect(await device(job, 'device-0003')).toEqual({ kind: 'noTarget' })
    expect(await whyDevice(db, { jobId: 'nobody', deviceId: 'x' }, { maxRunningJobs: 1 }, noon)).toEqual({
      kind: 'noJob',
    })
  })
})

const nobody = { actor: null, clientAddress: null }

async function reasons({ jobId }: Job) {
  const why = await whyJob(db, jobId, { maxRunningJobs: 100 }, noon)
  return why?.reasons.map(({ until, deviceCount, ...told }) => ({
    ...told,
    ...(until === null ? {} : { until }),
    ...(deviceCount === null ? {} : { deviceCount }),
  }))
}

function device({ jobId }: Job, deviceId: string) {
  return whyDevice(db, { jobId, deviceId }, { maxRunningJobs: 100 }, noon)
}
