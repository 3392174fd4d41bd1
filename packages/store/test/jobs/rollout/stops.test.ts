import { type Job, jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { cancelJob } from '../../../src/jobs/jobs.ts'
import { pauseJob, resumeJob } from '../../../src/jobs/rollout/pause.ts'
import { readStop, resumeStop, type StopRequest, stopJobs } from '../../../src/jobs/rollout/stops.ts'
import { purgeHistory } from '../../../src/jobs/sweeps/purge-history.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import {
  claim,
  claimed,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  read,
  recordFirstAttempts,
  start,
} from '../engine.ts'

const asker = { actor: 'policy:owner', clientAddress: '192.0.2.7' }
const all: StopRequest = { asker, reason: 'they reboot in a loop', type: null, jobIdPrefix: null }

const stop = (db: Db, request: Partial<StopRequest> = {}, now = noon) => stopJobs(db, { ...all, ...request }, now)
const settled = (db: Db, stopNo: number) => readStop(db, stopNo, { isSettled: true })

async function areStopped(db: Db, jobs: readonly Job[]): Promise<boolean[]> {
  return Promise.all(jobs.map(async (job) => (await read(db, job)).pause !== null))
}

it('R44 a stop pauses every job that has not ended and is not paused, and tells of each', async () => {
  await using own = await openStore()
  const [queued, scheduled, running, before, ended] = [
    await givenJob(own.db),
    await givenJob(own.db, { startTime: on('13:00:00') }),
    await givenRunningJob(own.db, { devices: 1 }),
    await givenJob(own.db),
    await givenJob(own.db),
  ]
  await rows(own.db, sql`update jobs set status = 'scheduled' where job_key = ${scheduled.key} returning job_key`)
  await pauseJob(own.db, before.key, { asker, reason: 'before' }, noon)
  await cancelJob(own.db, ended.jobId, noon)

  const stopNo = await stop(own.db, {}, on('12:00:10'))
  const late = await givenJob(own.db)

  expect(await areStopped(own.db, [queued, scheduled, running, before, ended, late])).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ])
  expect((await read(own.db, before)).pause?.reason).toBe('before')
  expect(await claim(own.db, running.key, on('12:00:10'))).toBeNull()
  expect(await settled(own.db, stopNo)).toMatchObject({
    time: on('12:00:10'),
    actor: 'policy:owner',
    reason: 'they reboot in a loop',
    pausedCount: 3,
    handedOverCount: 0,
    undecidedCount: 0,
  })
  const told = await rows(
    own.db,
    sql`select job_key::text, fields->>'reason' as reason from job_events where kind = 'paused' and at = '2026-03-02 12:00:10+00' order by 1`,
  )
  expect(told).toEqual(
    [queued, scheduled, running].map(({ key }) => ({ job_key: key, reason: 'they reboot in a loop' })),
  )
})

it('R44 a stop of a type, or of a prefix of the ids, leaves the others alone', async () => {
  await using own = await openStore()
  const jobs = [
    await givenJob(own.db, { jobId: 'fw_1%-a' }),
    await givenJob(own.db, { jobId: 'fw_1%-b', type: 'scheduleUpdateTwin' }),
    await givenJob(own.db, { jobId: 'fwX1Y-c' }),
    await givenJob(own.db, { jobId: 'other', type: 'scheduleUpdateTwin' }),
  ]

  await stop(own.db, { jobIdPrefix: 'fw_1%-', type: 'scheduleDeviceMethod' })
  const first = await areStopped(own.db, jobs)
  await stop(own.db, { type: 'scheduleUpdateTwin' })

  expect(first).toEqual([true, false, false, false])
  expect(await areStopped(own.db, jobs)).toEqual([true, true, false, true])
})

it('R46 its resumption resumes the jobs that are still paused by it, and no other', async () => {
  await using own = await openStore()
  const [stays, again, before, stopped] = [
    await givenJob(own.db),
    await givenJob(own.db),
    await givenJob(own.db),
    await givenJob(own.db),
  ]
  await pauseJob(own.db, before.key, { asker, reason: 'before' }, noon)
  const stopNo = await stop(own.db)
  const second = await stop(own.db)
  await resumeJob(own.db, stays.key, { asker }, noon)
  await resumeJob(own.db, again.key, { asker }, noon)
  await pauseJob(own.db, again.key, { asker, reason: 'by somebody' }, noon)

  const resumed = await resumeStop(own.db, stopNo, asker, on('12:01:00'))

  expect(resumed?.map(({ key }) => key)).toEqual([stopped.key])
  expect(await areStopped(own.db, [stays, again, before, stopped])).toEqual([false, true, true, false])
  expect(await settled(own.db, stopNo)).toMatchObject({ pausedCount: 3, resumedTime: on('12:01:00'), resumedCount: 1 })
  expect(await settled(own.db, second)).toMatchObject({ pausedCount: 0 })
  expect(await resumeStop(own.db, stopNo, asker, on('12:02:00'))).toEqual([])
  expect(await resumeStop(own.db, 999, asker, noon)).toBeNull()
})

it('R45 counts what was handed over after it, from the recorded times, and what is not known yet', async () => {
  await using own = await openStore()
  const job = await givenRunningJob(own.db, { devices: 4, chunkSize: 4 })
  const chunk = await claimed(own.db, job.key)
  const stopNo = await stop(own.db, {}, on('12:00:01'))
  const inFlight = await settled(own.db, stopNo)
  const response = jsonText({ status: 200 })
  const outcome = (device: number, deliveredAt?: Date) => ({
    deviceId: `device-000${device}`,
    status: 'completed' as const,
    response,
    ...(deliveredAt === undefined ? {} : { deliveredAt }),
  })

  await recordFirstAttempts(own.db, chunk, [outcome(0, on('12:00:00')), outcome(1, on('12:00:01.5'))], on('12:00:02'))
  const halfway = await settled(own.db, stopNo)
  await recordFirstAttempts(
    own.db,
    chunk,
    [outcome(2, on('12:00:03')), { deviceId: 'device-0003', status: 'pending', dueAt: on('12:00:05') }],
    on('12:00:03'),
  )
  const ended = await settled(own.db, stopNo)
  await resumeStop(own.db, stopNo, asker, on('12:00:04'))
  await rows(
    own.db,
    sql`update device_jobs set delivered_at = '2026-03-02 12:00:04.5+00' where device_id = 'device-0003' returning device_id`,
  )

  expect([inFlight, halfway, ended, await settled(own.db, stopNo)]).toMatchObject([
    { handedOverCount: 0, undecidedCount: 4 },
    { handedOverCount: 1, undecidedCount: 2 },
    { handedOverCount: 2, undecidedCount: 0 },
    { handedOverCount: 2, undecidedCount: 0 },
  ])
})

it('R45 counts a call of which nobody knows whether it was handed over', async () => {
  await using own = await openStore()
  const job = await givenRunningJob(own.db, { devices: 1 })
  const chunk = await claimed(own.db, job.key)
  const stopNo = await stop(own.db, {}, on('12:00:01'))

  await recordFirstAttempts(
    own.db,
    chunk,
    [
      {
        deviceId: 'device-0000',
        status: 'failed',
        isUnknown: true,
        error: { code: 'DeviceConnectionClosedRemotely', description: 'the gateway was lost' },
      },
    ],
    on('12:00:20'),
  )

  expect(await settled(own.db, stopNo)).toMatchObject({ handedOverCount: 1, undecidedCount: 0 })
})

it('R44 R46 stops and resumptions at once wait for one another, and every job ends in one state', async () => {
  await using own = await openStore()
  const jobs = await Promise.all(Array.from({ length: 20 }, () => givenJob(own.db)))
  const limited = await givenRunningJob(own.db, { devices: 3, chunkSize: 1 })
  await rows(own.db, sql`update jobs set max_in_flight = 3 where job_key = ${limited.key} returning job_key`)

  const stopNos = await Promise.all([stop(own.db), stop(own.db), stop(own.db)])
  await Promise.all(stopNos.map((stopNo) => resumeStop(own.db, stopNo, asker, noon)))

  const stops = await Promise.all(stopNos.map((stopNo) => settled(own.db, stopNo)))
  expect(stops.map((one) => one?.pausedCount).toSorted()).toEqual([0, 0, 21])
  expect(stops.map((one) => one?.resumedCount).toSorted()).toEqual([0, 0, 21])
  expect(await areStopped(own.db, jobs)).toEqual(jobs.map(() => false))
  expect((await start(own.db, jobs[0]?.key ?? limited.key)).kind).toBe('started')
})

it('R44 a stop is forgotten with the last of its jobs', async () => {
  await using own = await openStore()
  const job = await givenJob(own.db)
  const stopNo = await stop(own.db)
  const empty = await stop(own.db)
  await cancelJob(own.db, job.jobId, noon)

  await purgeHistory(own.db, { endedBefore: on('11:00:00'), limit: 10 })
  const kept = await settled(own.db, empty)
  await purgeHistory(own.db, { endedBefore: on('13:00:00'), limit: 10 })

  expect(kept).not.toBeNull()
  expect([await settled(own.db, stopNo), await settled(own.db, empty)]).toEqual([null, null])
})
