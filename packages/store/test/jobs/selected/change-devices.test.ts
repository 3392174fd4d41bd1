import { type Job, jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunningJob } from '../../../src/jobs/chunks.ts'
import { markReachable } from '../../../src/jobs/device-jobs.ts'
import { executeChunk } from '../../../src/jobs/execute-chunk.ts'
import { hubItself } from '../../../src/jobs/job-events.ts'
import { cancelJob, completeJob } from '../../../src/jobs/jobs.ts'
import { patchNextChunk } from '../../../src/jobs/patch-chunk.ts'
import { changeDevices, type DeviceAction } from '../../../src/jobs/selected/change-devices.ts'
import type { DeviceSelection } from '../../../src/jobs/selected/device-selection.ts'
import { findForgottenWork } from '../../../src/jobs/sweeps/find-forgotten-work.ts'
import { keepStatistics } from '../../../src/jobs/sweeps/keep-statistics.ts'
import { releaseExpiredChunks } from '../../../src/jobs/sweeps/release-expired-chunks.ts'
import { readIntegrityFigures } from '../../../src/metrics/integrity.ts'
import { readDevicePage } from '../../../src/outcomes/device-page.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import {
  claim,
  claimDue,
  claimed,
  counts,
  deviceNames,
  givenDevices,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  read,
  recordFirstAttempts,
  recordLaterAttempts,
  start,
  worker,
} from '../engine.ts'
import { setChunks } from '../rollout/set-rows.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const all: DeviceSelection = { statuses: null, errorCodes: null, deviceIds: null }

async function change(job: Job, action: DeviceAction, selection: Partial<DeviceSelection>, now = noon) {
  const changed = await changeDevices(
    db,
    job.jobId,
    { action, selection: { ...all, ...selection }, asker: hubItself },
    now,
  )
  return changed.kind === 'done' ? [changed.matchedCount, changed.changedCount] : changed
}

/** Of each device. */
async function statuses(job: Job): Promise<Record<string, string>> {
  const filter = { statuses: null, errorCodes: null, deviceId: null }
  const page = await readDevicePage(db, job.jobId, filter, {
    limit: 1000,
    after: null,
    withCounts: false,
    write: (row) => JSON.stringify(row),
  })
  const shown: { deviceId: string; status: string; error?: { code: string } }[] = (page?.items ?? []).map((item) =>
    JSON.parse(item),
  )
  return Object.fromEntries(
    shown.map(({ deviceId, status, error }) => [deviceId, [status, error?.code].filter(Boolean).join(' ')]),
  )
}

const skippedOf = async (job: Job) => (await read(db, job)).statistics?.skippedCount

describe('R65 a device that is skipped or canceled by itself', () => {
  it('has ended when it had not started, and no claim takes it', async () => {
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 2 })

    expect(await change(job, 'skip', { deviceIds: ['device-0001'] })).toEqual([1, 1])
    expect(await change(job, 'cancel', { deviceIds: ['device-0002'] })).toEqual([1, 1])

    expect([await counts(db, job), await skippedOf(job)]).toEqual([[4, 0, 0, 0, 2, 1], 1])
    expect((await claimed(db, job.key)).deviceIds).toEqual(['device-0000'])
    expect((await claimed(db, job.key)).deviceIds).toEqual(['device-0003'])
    expect(await statuses(job)).toEqual({
      'device-0000': 'running',
      'device-0001': 'skipped',
      'device-0002': 'canceled',
      'device-0003': 'running',
    })
  })

  it('has ended when it waited', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const chunk = await claimed(db, job.key)
    const wait = { status: 'pending', dueAt: null } as const
    await recordFirstAttempts(
      db,
      chunk,
      [
        { deviceId: 'device-0000', ...wait },
        { deviceId: 'device-0001', ...wait },
      ],
      noon,
    )

    await change(job, 'skip', { deviceIds: ['device-0000'] })
    await markReachable(db, deviceNames(2), noon)

    const due = await claimDue(db, job.key, { workerId: worker, limit: 10 }, noon)
    expect(due?.attempts.map(({ deviceId }) => deviceId)).toEqual(['device-0001'])
  })

  it('is left as it is in flight, and when it has ended', async () => {
    const job = await givenRunningJob(db, { devices: 3 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(
      db,
      chunk,
      [{ deviceId: 'device-0000', status: 'completed', response: jsonText({}) }],
      noon,
    )

    expect(await change(job, 'skip', {})).toEqual([3, 0])
    expect(await counts(db, job)).toEqual([3, 1, 0, 2, 0, 0])
  })

  it('says that it may have been called, if it may', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: null }], noon)
    await rows(db, sql`update workers set lease_until = ${noon.toISOString()} returning worker_id`)
    await releaseExpiredChunks(db, { limit: 10 }, on('12:00:01'))

    await change(job, 'skip', {})

    expect(await statuses(job)).toEqual({
      'device-0000': 'skipped',
      'device-0001': 'skipped DeviceConnectionClosedRemotely',
    })
    const filter = { statuses: null, errorCodes: ['DeviceConnectionClosedRemotely'], deviceId: null }
    const page = await readDevicePage(db, job.jobId, filter, {
      limit: 10,
      after: null,
      withCounts: true,
      write: ({ deviceId }) => String(deviceId),
    })
    expect(page).toMatchObject({
      items: ['device-0001'],
      counts: { byStatus: { skipped: 2, canceled: 0 }, byErrorCode: { DeviceConnectionClosedRemotely: 1 } },
    })
  })

  it('completes its job when no other is open', async () => {
    const job = await givenRunningJob(db, { devices: 3, chunkSize: 2 })

    await change(job, 'skip', {})

    expect(await completeJob(db, job.key, noon)).toMatchObject({ status: 'completed' })
    await keepStatistics(db, { limit: 10 })
    expect([await counts(db, job), await skippedOf(job)]).toEqual([[3, 0, 0, 0, 0, 0], 3])
    expect(await rows(db, sql`select status from chunks where job_key = ${job.key}`)).toEqual([
      { status: 'attempted' },
      { status: 'attempted' },
    ])
  })

  it('leaves a held chunk held, for those that wait, and no work when it is let go', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: noon }], noon)
    await rows(db, sql`update workers set lease_until = ${noon.toISOString()} returning worker_id`)
    await releaseExpiredChunks(db, { limit: 10 }, on('12:00:01'))
    await setChunks(db, job, [0], sql`status = 'held'`)

    await change(job, 'skip', { deviceIds: ['device-0001'] })

    expect(await claimDue(db, job.key, { workerId: worker, limit: 10 }, on('12:00:02'))).toBeNull()
    await setChunks(db, job, [0], sql`status = 'ready'`)
    const work = await findForgottenWork(db, { limit: 100 }, on('12:00:02'))
    expect(work.filter(({ key }) => key === job.key).map(({ kind }) => kind)).toEqual(['due'])
  })

  it('stays as it is when the job is cancelled later', async () => {
    const job = await givenRunningJob(db, { devices: 3 })

    await change(job, 'skip', { deviceIds: ['device-0002', 'nobody'] })
    await cancelJob(db, job.jobId, noon)

    expect([await counts(db, job), await skippedOf(job)]).toEqual([[3, 0, 0, 0, 0, 2], 1])
    expect(Object.values(await statuses(job))).toEqual(['canceled', 'canceled', 'skipped'])
  })

  it('keeps the counters of its chunk those of its rows', async () => {
    await using own = await openStore()
    const job = await givenRunningJob(own.db, { devices: 4 })
    const selection = { ...all, deviceIds: ['device-0000', 'device-0003'] }
    await changeDevices(own.db, job.jobId, { action: 'skip', selection, asker: hubItself }, noon)
    await rows(own.db, sql`update chunks set attempted = attempted where job_key = ${job.key} returning chunk_no`)

    expect(await readIntegrityFigures(own.db, noon, 0)).toMatchObject({ wrongCounters: 0 })
    await rows(own.db, sql`update chunks set skipped = 1 where job_key = ${job.key} returning chunk_no`)
    expect(await readIntegrityFigures(own.db, noon, 0)).toMatchObject({ wrongCounters: 1 })
  })

  it('is told, once for all that somebody has changed at once', async () => {
    const job = await givenRunningJob(db, { devices: 5 })
    const asker = { actor: 'policy:service', clientAddress: '10.0.0.1' }
    const selection = { ...all, statuses: ['pending'] as const }

    for (let times = 0; times < 2; times += 1) {
      await changeDevices(db, job.jobId, { action: 'skip', selection, asker }, noon)
    }

    expect(
      await rows(db, sql`select actor, fields from job_events where job_key = ${job.key} and kind = 'changed'`),
    ).toEqual([{ actor: 'policy:service', fields: { changes: { action: 'skip', deviceCount: 5 } } }])
  })

  it('is not possible before the job has started, nor after its end', async () => {
    const queued = await givenJob(db)
    const ended = await givenRunningJob(db, { devices: 1 })
    await cancelJob(db, ended.jobId, noon)

    expect(await change(queued, 'skip', {})).toEqual({ kind: 'idle', status: 'queued' })
    expect(await change(ended, 'retry', {})).toEqual({ kind: 'idle', status: 'cancelled' })
    expect(await changeDevices(db, 'nobody', { action: 'skip', selection: all, asker: hubItself }, noon)).toEqual({
      kind: 'missing',
    })
  })
})

describe('R66 devices are selected', () => {
  it('by status, by id and by error, and only pending ones change', async () => {
    const job = await givenRunningJob(db, { devices: 6, chunkSize: 3 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(
      db,
      chunk,
      [
        { deviceId: 'device-0000', status: 'failed', error: { code: 'GatewayTimeout', description: '' } },
        { deviceId: 'device-0001', status: 'pending', dueAt: null },
        { deviceId: 'device-0002', status: 'completed', response: jsonText({}) },
      ],
      noon,
    )

    expect(await change(job, 'skip', { statuses: ['failed', 'completed'] })).toEqual([2, 0])
    expect(await change(job, 'skip', { errorCodes: ['GatewayTimeout'] })).toEqual([1, 0])
    expect(await change(job, 'skip', { deviceIds: ['device-0002', 'device-0005'] })).toEqual([2, 1])
    expect(await change(job, 'skip', { statuses: ['skipped'] })).toEqual([1, 0])
    expect(await change(job, 'cancel', { statuses: ['pending'] })).toEqual([3, 3])
    expect([await counts(db, job), await skippedOf(job)]).toEqual([[6, 1, 1, 0, 0, 3], 1])
  })

  it('by more ids than are looked up one by one', async () => {
    const job = await givenRunningJob(db, { devices: 300, chunkSize: 50 })

    expect(await change(job, 'skip', { deviceIds: deviceNames(500).slice(100) })).toEqual([200, 200])
    expect(await skippedOf(job)).toBe(200)
  })
})

describe('R65 the chunk of a twin job', () => {
  const patch = { desired: { level: 3 } }

  it.each([
    ['in one statement', true],
    ['device by device', false],
  ])('leaves out skipped devices, %s', async (_, inOne) => {
    await givenDevices(db, deviceNames(4), { isReachable: false })
    const job = await givenRunningJob(db, { devices: 4, type: 'scheduleUpdateTwin' })
    await change(job, 'skip', { deviceIds: ['device-0001'] })
    await change(job, 'cancel', { deviceIds: ['device-0003'] })
    const running = await readRunningJob(db, job.key)
    if (running === null) throw new Error('the job has ended')
    const worked: string[] = []
    const work = async (_: Db, { deviceIds }: { deviceIds: readonly string[] }) => {
      worked.push(...deviceIds)
      return { failures: [], desired: [] }
    }

    const executed = await executeChunk(
      db,
      running,
      inOne ? { begin: (tx) => patchNextChunk(tx, running, patch, noon), work } : { work },
      noon,
    )

    expect(executed).toMatchObject({ deviceCount: 2, failures: [] })
    expect(worked).toEqual(inOne ? [] : ['device-0000', 'device-0002'])
    expect([await counts(db, job), await skippedOf(job)]).toEqual([[4, 2, 0, 0, 0, 1], 1])
    expect(Object.values(await statuses(job))).toEqual(['completed', 'skipped', 'completed', 'canceled'])
    if (!inOne) return
    expect(await rows(db, sql`select device_id from twins where desired = '{"level": 3}' order by 1`)).toEqual([
      { device_id: 'device-0000' },
      { device_id: 'device-0002' },
    ])
  })
})

describe('R67 a retry', () => {
  it('makes what waits due, and nothing else', async () => {
    const job = await givenRunningJob(db, { devices: 5, chunkSize: 4 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(
      db,
      chunk,
      [
        { deviceId: 'device-0000', status: 'pending', dueAt: null },
        { deviceId: 'device-0001', status: 'pending', dueAt: on('12:30:00') },
        { deviceId: 'device-0002', status: 'completed', response: jsonText({}) },
      ],
      noon,
    )

    expect(await change(job, 'retry', {})).toEqual([5, 2])
    expect(await change(job, 'retry', {})).toEqual([5, 0])

    const due = await claimDue(db, job.key, { workerId: worker, limit: 10 }, noon)
    expect(due?.attempts.map(({ deviceId }) => deviceId).sort()).toEqual(['device-0000', 'device-0001'])
  })
})

describe('R65 skips and claims at the same time', () => {
  it('come to each device once', async () => {
    const job = await givenRunningJob(db, { devices: 60, chunkSize: 3 })
    const called: string[] = []
    const claimAll = async (workerId: string) => {
      for (;;) {
        const chunk = await claim(db, job.key, noon, workerId)
        if (chunk === null) return
        called.push(...chunk.deviceIds)
        await recordFirstAttempts(
          db,
          chunk,
          chunk.deviceIds.map((deviceId) => ({ deviceId, status: 'completed', response: jsonText({}) }) as const),
          noon,
        )
      }
    }
    const skipMany = async () => {
      let count = 0
      for (const deviceId of deviceNames(60)
        .filter((_, no) => no % 2 === 0)
        .toReversed()) {
        const changed = await change(job, 'skip', { deviceIds: [deviceId] })
        count += Array.isArray(changed) ? (changed[1] ?? 0) : 0
      }
      return count
    }

    const [skipped] = await Promise.all([skipMany(), claimAll('worker-1'), claimAll('worker-2')])
    await claimAll('worker-3')

    expect(called.length).toBe(new Set(called).size)
    expect([await counts(db, job), (await skippedOf(job)) ?? 0]).toEqual([[60, 60 - skipped, 0, 0, 0, 0], skipped])
    const ended = await statuses(job)
    expect(called.filter((deviceId) => ended[deviceId] !== 'completed')).toEqual([])
  })
})

it('R65 many changes of the same devices at once count each device once', async () => {
  const job = await givenJob(db, { devices: deviceNames(40) })
  await start(db, job.key, { chunkSize: 7 })
  const actions = Array.from({ length: 8 }, (_, no) => (no % 2 === 0 ? 'skip' : 'cancel'))

  const changed = await Promise.all(actions.map((action) => change(job, action === 'skip' ? 'skip' : 'cancel', {})))

  expect(changed.map((one) => (Array.isArray(one) ? one[1] : 0)).toSorted()).toEqual([0, 0, 0, 0, 0, 0, 0, 40])
  expect((await counts(db, job))?.slice(0, 5)).toEqual([40, 0, 0, 0, 0])
})

it('R65 skips, claims, outcomes and word of devices at once wait for nobody in a circle, and count each device once', async () => {
  const devices = deviceNames(40)
  const job = await givenRunningJob(db, { devices: devices.length, chunkSize: 8 })
  for (let no = 0; no < 5; no += 1) {
    const chunk = await claimed(db, job.key)
    const outcomes = chunk.deviceIds.map((deviceId) => ({ deviceId, status: 'pending', dueAt: null }) as const)
    await recordFirstAttempts(db, chunk, outcomes, noon)
  }
  const attempt = async (workerId: string) => {
    for (let no = 0; no < 10; no += 1) {
      const due = await claimDue(db, job.key, { workerId, limit: 7 }, noon)
      if (due === null) continue
      const outcomes = due.attempts.map(({ deviceId }, index) =>
        index % 3 === 0
          ? ({ deviceId, status: 'completed', response: jsonText({}) } as const)
          : ({ deviceId, status: 'pending', dueAt: index % 3 === 1 ? noon : null } as const),
      )
      await recordLaterAttempts(db, due, outcomes, noon)
    }
  }
  const tell = async () => {
    for (let no = 0; no < 10; no += 1) await markReachable(db, devices.toReversed(), noon)
  }
  const skip = async (from: number) => {
    for (let no = from; no < devices.length; no += 4)
      await change(job, 'skip', { deviceIds: devices.slice(no, no + 2) })
  }

  await Promise.all([attempt('worker-1'), attempt('worker-2'), tell(), skip(0), skip(2), change(job, 'retry', {})])
  await change(job, 'cancel', {})

  const ended = Object.values(await statuses(job))
  const countOf = (status: string) => ended.filter((one) => one.startsWith(status)).length
  expect([await counts(db, job), (await skippedOf(job)) ?? 0]).toEqual([
    [40, countOf('completed'), 0, 0, 0, countOf('canceled')],
    countOf('skipped'),
  ])
  expect(countOf('completed') + countOf('canceled') + countOf('skipped')).toBe(40)
})
