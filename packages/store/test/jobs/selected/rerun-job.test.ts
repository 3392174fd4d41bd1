import { type Job, jsonText, parseJobId } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hubItself } from '../../../src/jobs/job-events.ts'
import { cancelJob, completeJob } from '../../../src/jobs/jobs.ts'
import { changeDevices } from '../../../src/jobs/selected/change-devices.ts'
import { readRelatives } from '../../../src/jobs/selected/relatives.ts'
import { type RerunRequest, rerunJob } from '../../../src/jobs/selected/rerun-job.ts'
import { purgeHistory } from '../../../src/jobs/sweeps/purge-history.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import {
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
  start,
} from '../engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

type Wanted = Partial<Omit<RerunRequest, 'selection'> & RerunRequest['selection']>

async function rerun(parent: Job, { statuses = null, errorCodes = null, deviceIds = null, ...request }: Wanted) {
  return rerunJob(
    db,
    parent.jobId,
    {
      jobId: null,
      requery: false,
      startTime: null,
      asker: hubItself,
      traceparent: null,
      ...request,
      selection: { statuses, errorCodes, deviceIds },
    },
    noon,
  )
}

async function child(parent: Job, wanted: Wanted): Promise<Job> {
  const created = await rerun(parent, wanted)
  if (created.kind !== 'created') throw new Error(created.kind)
  return created.job
}

async function targetOf({ key }: Job): Promise<string[]> {
  const [row] = await rows<{ target_ids: string[] }>(db, sql`select target_ids from jobs where job_key = ${key}`)
  return row?.target_ids ?? []
}

/** 0 has completed, 1 and 2 have failed, 3 was skipped, 4 and 5 were canceled with the job. */
async function givenEnded(): Promise<Job> {
  const job = await givenRunningJob(db, { devices: 6, chunkSize: 3 })
  const chunk = await claimed(db, job.key)
  const failed = (deviceId: string, code: 'GatewayTimeout' | 'GenericBadGateway') =>
    ({ deviceId, status: 'failed', error: { code, description: 'so' } }) as const
  await recordFirstAttempts(
    db,
    chunk,
    [
      { deviceId: 'device-0000', status: 'completed', response: jsonText({}) },
      failed('device-0001', 'GatewayTimeout'),
      failed('device-0002', 'GenericBadGateway'),
    ],
    noon,
  )
  const selection = { statuses: null, errorCodes: null, deviceIds: ['device-0003'] }
  await changeDevices(db, job.jobId, { action: 'skip', selection, asker: hubItself }, noon)
  await cancelJob(db, job.jobId, noon)
  return read(db, job)
}

describe('R70 a rerun', () => {
  it.each<[Wanted, number[]]>([
    [{ statuses: ['failed'] }, [1, 2]],
    [{ statuses: ['canceled', 'skipped'] }, [3, 4, 5]],
    [{ statuses: ['completed', 'failed', 'canceled', 'skipped'] }, [0, 1, 2, 3, 4, 5]],
    [{ errorCodes: ['GatewayTimeout'] }, [1]],
    [{ deviceIds: ['device-0004', 'device-0000', 'nobody'] }, [0, 4]],
    [{ statuses: ['failed'], deviceIds: ['device-0002', 'device-0003'] }, [2]],
  ])('of %j is for exactly these devices', async (wanted, expected) => {
    const job = await child(await givenEnded(), wanted)

    expect(await targetOf(job)).toEqual(expected.map((no) => deviceNames(6)[no]))
  })

  it('does what its parent does, and leaves that as it is', async () => {
    const extensions = { rollout: { maximumPerMinute: 60 }, priority: 700 }
    const parent = await givenJob(db, { devices: deviceNames(2), extensions, maxExecutionTimeInSeconds: 120 })
    await cancelJob(db, parent.jobId, noon)
    expect(await rerun(parent, { statuses: ['canceled'] })).toEqual({ kind: 'nothing' })
    const started = await givenJob(db, { devices: deviceNames(2), extensions, maxExecutionTimeInSeconds: 120 })
    await start(db, started.key)
    await cancelJob(db, started.jobId, noon)
    const before = await read(db, started)

    const job = await child(started, { statuses: ['canceled'], startTime: on('14:00:00') })

    expect(job).toMatchObject({
      jobId: `${started.jobId}-rerun-1`,
      status: 'queued',
      body: before.body,
      extensions,
      type: before.type,
      startTime: on('14:00:00'),
      maxExecutionTimeInSeconds: 120,
      queryCondition: "deviceId IN ['device-0000','device-0001']",
    })
    expect(await rows(db, sql`select rate, priority, deadline_at::text from jobs where job_key = ${job.key}`)).toEqual([
      { rate: 60, priority: 700, deadline_at: '2026-03-02 14:02:00+00' },
    ])
    expect(await read(db, started)).toEqual(before)
    expect(await rows(db, sql`select kind, fields from job_events where job_key = ${job.key}`)).toEqual([
      { kind: 'created', fields: { changes: { parentJobId: started.jobId } } },
    ])
  })

  it('of a continuous job is for certain devices, and none joins', async () => {
    const extensions = { targetSelection: 'continuous', maxDevices: 5, priority: 9 } as const
    const parent = await givenJob(db, { devices: ['d1'], extensions })
    await start(db, parent.key)
    await cancelJob(db, parent.jobId, noon)

    const job = await child(parent, { statuses: ['canceled'] })

    expect(job.extensions).toEqual({ priority: 9 })
    expect(await rows(db, sql`select is_continuous, max_devices from jobs where job_key = ${job.key}`)).toEqual([
      { is_continuous: false, max_devices: null },
    ])
  })

  it('can itself be run again, and both know of each other', async () => {
    const first = await givenEnded()
    const second = await child(first, { statuses: ['failed'] })
    const sibling = await child(first, { statuses: ['failed'] })
    await start(db, second.key)
    await cancelJob(db, second.jobId, noon)
    const third = await child(second, { deviceIds: ['device-0002'], jobId: parseJobId(`third-${first.jobId}`) })

    expect(await targetOf(third)).toEqual(['device-0002'])
    expect(await readRelatives(db, first.key)).toEqual({
      parentJobId: null,
      childJobIds: [`${first.jobId}-rerun-1`, `${first.jobId}-rerun-2`],
    })
    expect(await readRelatives(db, second.key)).toEqual({ parentJobId: first.jobId, childJobIds: [third.jobId] })
    expect(sibling.jobId).toBe(`${first.jobId}-rerun-2`)
  })

  it('of many at once gives each an id', async () => {
    const parent = await givenEnded()

    const jobs = await Promise.all(Array.from({ length: 6 }, () => child(parent, { statuses: ['failed'] })))

    expect(jobs.map(({ jobId }) => jobId).sort()).toEqual([1, 2, 3, 4, 5, 6].map((no) => `${parent.jobId}-rerun-${no}`))
  })

  it('of a device whose name has a quote shows it as a condition', async () => {
    const parent = await givenJob(db, { devices: ["o'neil"] })
    await start(db, parent.key)
    await cancelJob(db, parent.jobId, noon)

    expect((await child(parent, { statuses: ['canceled'] })).queryCondition).toBe(String.raw`deviceId IN ['o\'neil']`)
  })
})

describe('R71 a rerun is refused', () => {
  it('of a job that has not ended, or whose history is over', async () => {
    await using own = await openStore()
    const running = await givenRunningJob(db, { devices: 1 })
    const purged = await givenRunningJob(own.db, { devices: 1 })
    await cancelJob(own.db, purged.jobId, noon)
    await purgeHistory(own.db, { endedBefore: on('13:00:00'), limit: 10 })

    expect(await rerun(running, { statuses: ['failed'] })).toEqual({ kind: 'open', status: 'running' })
    expect(await rerun(purged, { statuses: ['failed'] })).toEqual({ kind: 'missing' })
  })

  it('when nothing matches, and leaves no trace', async () => {
    const parent = await givenRunningJob(db, { devices: 0 })
    await completeJob(db, parent.key, noon)

    expect(await rerun(parent, { statuses: ['failed'] })).toEqual({ kind: 'nothing' })
    expect((await readRelatives(db, parent.key)).childJobIds).toEqual([])
  })

  it('under an id that is taken, or without one when the next would be too long', async () => {
    const parent = await givenEnded()
    const long = await givenJob(db, { jobId: 'j'.repeat(57) })
    await cancelJob(db, long.jobId, noon)

    expect(await rerun(parent, { statuses: ['failed'], jobId: parent.jobId })).toEqual({ kind: 'taken' })
    await expect(rerun(long, { statuses: ['failed'] })).rejects.toThrow('would have 65 characters')
  })
})

describe('R72 with requery', () => {
  it('a rerun leaves out devices that do not match any more', async () => {
    await givenDevices(db, deviceNames(4), { isReachable: false })
    await rows(db, sql`update twins set tags = '{"floor": 3}' where device_id like 'device-%' returning 1 as one`)
    const parent = await givenJob(db, {
      target: { kind: 'condition', queryCondition: 'tags.floor = 3' },
      queryCondition: 'tags.floor = 3',
    })
    await start(db, parent.key)
    await cancelJob(db, parent.jobId, noon)
    await rows(db, sql`update twins set tags = '{"floor": 4}' where device_id = 'device-0001' returning 1 as one`)

    const requeried = await child(parent, { statuses: ['canceled'], requery: true })

    expect(await targetOf(requeried)).toEqual(['device-0000', 'device-0002', 'device-0003'])
    expect(await targetOf(await child(parent, { statuses: ['canceled'] }))).toHaveLength(4)
  })

  it('a rerun of a list leaves out devices that do not exist', async () => {
    await givenDevices(db, ['here'], { isReachable: false })
    const parent = await givenJob(db, { devices: ['here', 'gone'] })
    await start(db, parent.key)
    await cancelJob(db, parent.jobId, noon)

    expect(await targetOf(await child(parent, { statuses: ['canceled'], requery: true }))).toEqual(['here'])
  })
})

describe('R73 a device that was made anew since', () => {
  it('is a target of the rerun', async () => {
    await givenDevices(db, ['phoenix'], { isReachable: false })
    const parent = await givenJob(db, { devices: ['phoenix'] })
    await start(db, parent.key)
    await cancelJob(db, parent.jobId, noon)
    await rows(db, sql`delete from devices where device_id = 'phoenix' returning device_id`)
    await givenDevices(db, ['phoenix'], { isReachable: false })

    const job = await child(parent, { statuses: ['canceled'] })
    await start(db, job.key)

    const [found] = await rows<{ is_target: boolean }>(
      db,
      sql`select generation_no <= last_generation_no as is_target from twins, jobs
           where device_id = 'phoenix' and job_key = ${job.key}`,
    )
    expect(found).toEqual({ is_target: true })
  })
})

it('R70 a rerun of 10,000 failed devices is for all of them', async () => {
  const parent = await givenRunningJob(db, { devices: 12_000, chunkSize: 500 })
  for (let no = 0; no < 24; no += 1) {
    const chunk = await claimed(db, parent.key)
    const error = { code: 'GatewayTimeout', description: 'no answer' } as const
    await recordFirstAttempts(
      db,
      chunk,
      chunk.deviceIds.map((deviceId) =>
        no < 20 ? { deviceId, status: 'failed', error } : { deviceId, status: 'completed', response: jsonText({}) },
      ),
      noon,
    )
  }
  await completeJob(db, parent.key, noon)

  const job = await child(parent, { statuses: ['failed'] })
  await start(db, job.key)

  expect(await counts(db, job)).toEqual([10_000, 0, 0, 0, 10_000, 0])
  expect(job.queryCondition).toMatch(/^deviceId IN \['device-0000','device-0001',.*, and 9950 more\]$/)
})
