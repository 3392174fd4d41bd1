import { type JobType, jsonText, parseJobId } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cancelJob, completeJob, insertJob } from '../../../src/jobs/jobs.ts'
import {
  type ContinuousJob,
  findContinuousJobs,
  joinDevices,
  takeUncheckedJob,
} from '../../../src/jobs/rollout/continuous.ts'
import { findLeavers } from '../../../src/jobs/rollout/leavers.ts'
import { advanceStages } from '../../../src/jobs/stages/advance-stages.ts'
import { openNextStage } from '../../../src/jobs/stages/open-stage.ts'
import { expireOverdueJobs } from '../../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { findDrainedJobs } from '../../../src/jobs/sweeps/find-drained-jobs.ts'
import { type Db, rows, texts } from '../../../src/postgres/sql.ts'
import { forgetJobs } from '../../forget-jobs.ts'
import {
  claimed,
  counts,
  deviceNames,
  execute,
  givenDevices,
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
  await givenDevices(db, deviceNames(6), { isReachable: true })
})
afterAll(() => store[Symbol.asyncDispose]())
beforeEach(async () => {
  await forgetJobs(db)
  await rows(db, sql`update twins set tags = '{}'`)
})

describe('R14 R110 a continuous job with stages', () => {
  const rollout = { stages: [{ size: 2, approval: 'manual' as const }, {}] }

  it('that has no devices yet opens the last one for those that join', async () => {
    const job = await givenContinuousJob([], { rollout })
    await tag(['device-0000', 'device-0002'])
    await join(job)

    const advances = [await advanceStages(db, job.key, noon), await advanceStages(db, job.key, noon)]

    expect(advances.map((one) => one?.kind)).toEqual(['opened', undefined])
    expect((await claimed(db, job.key)).deviceIds).toEqual(['device-0000', 'device-0002'])
  })

  it('opens the next one while devices join, and nobody waits for ever', async () => {
    const job = await givenContinuousJob(['device-0000', 'device-0001', 'device-0002'], { rollout })
    const asker = { actor: null, clientAddress: null }

    for (const id of ['device-0003', 'device-0004', 'device-0005']) {
      await tag([id])
      await rows(db, sql`update jobs set open_stage = 0 where job_key = ${job.key} returning job_key`)
      const [joined, next] = await Promise.all([join(job), openNextStage(db, job.jobId, asker, noon)])
      expect([joined, next.kind]).toEqual([1, 'opened'])
    }

    expect(await rows(db, sql`select device_count from stages where job_key = ${job.key} order by stage_no`)).toEqual([
      { device_count: 2 },
      { device_count: 4 },
    ])
  })
})

describe('R110 a continuous job', () => {
  it('takes in a device that comes to match, once, in a chunk of its own at the end', async () => {
    const job = await givenContinuousJob(['device-0001'])
    await tag(['device-0000', 'device-0002'])

    const joined = [await join(job), await join(job)]

    expect(joined).toEqual([2, 0])
    expect(await chunks()).toEqual([
      { chunk_no: 0, device_ids: ['device-0001'] },
      { chunk_no: 1, device_ids: ['device-0000', 'device-0002'] },
    ])
  })

  it('takes in only those of a list that match', async () => {
    const job = await givenContinuousJob([])
    await tag(['device-0000', 'device-0001'])

    expect(await join(job, { among: ['device-0001', 'device-0005', 'nobody'] })).toBe(1)
    expect(await chunks()).toEqual([{ chunk_no: 0, device_ids: ['device-0001'] }])
  })

  it('keeps a device that was a target and matches again, as it is', async () => {
    const job = await givenContinuousJob(['device-0001'])
    const claim = await claimed(db, job.key)
    await recordFirstAttempts(db, claim, [{ deviceId: 'device-0001', status: 'completed', response: sent }], noon)

    expect(await join(job)).toBe(0)
    expect(await counts(db, job.job)).toEqual([1, 1, 0, 0, 0, 0])
  })

  it('takes in a device twice for nobody, though many look at once', async () => {
    const job = await givenContinuousJob([])
    await tag(deviceNames(6))

    const joined = await Promise.all(Array.from({ length: 6 }, () => join(job)))

    expect(joined.reduce((sum, count) => sum + count, 0)).toBe(6)
    expect((await chunks()).flatMap(({ device_ids }) => device_ids).toSorted()).toEqual(deviceNames(6))
  })

  it('is a target for a device that was registered after its start', async () => {
    const job = await givenContinuousJob([])
    await givenDevices(db, ['newcomer'], { isReachable: true })
    await tag(['newcomer'])

    await join(job)
    const { deviceIds, job: running } = await claimed(db, job.key)
    const [newcomer] = await rows<{ no: string }>(
      db,
      sql`select generation_no::text as no from twins where device_id = 'newcomer'`,
    )

    expect(deviceIds).toEqual(['newcomer'])
    expect(running.lastGenerationNo).toBeGreaterThan(Number(newcomer?.no))
    await rows(db, sql`delete from devices where device_id = 'newcomer' returning device_id`)
  })

  it('waits in `running` when every device has ended, and completes at the end of its window', async () => {
    const job = await givenContinuousJob([])
    const drained = (time: Date) => findDrainedJobs(db, { limit: 10, after: null }, time).then((found) => found.drained)

    expect([await completeJob(db, job.key, noon), await drained(noon)]).toEqual([null, []])
    await expireOverdueJobs(db, { limit: 10 }, on('13:00:00'))
    expect(await drained(on('13:00:00'))).toEqual([job.key])
    expect(await completeJob(db, job.key, on('13:00:00'))).toMatchObject({ status: 'completed' })
  })
})

describe('R111 maxDevices', () => {
  it('bounds the devices of a job, those of its start included, and completes it when they have ended', async () => {
    const job = await givenContinuousJob(['device-0003'], { maxDevices: 3 })
    await tag(deviceNames(6))

    expect([await join(job), await join(job)]).toEqual([2, 0])
    expect(await completeJob(db, job.key, noon)).toBeNull()
    for (let no = 0; no < 2; no += 1) {
      const claim = await claimed(db, job.key)
      const outcomes = claim.deviceIds.map((deviceId) => ({ deviceId, status: 'completed', response: sent }) as const)
      await recordFirstAttempts(db, claim, outcomes, noon)
    }
    expect(await completeJob(db, job.key, noon)).toMatchObject({ statistics: { deviceCount: 3, succeededCount: 3 } })
  })
})

describe('R111 maxDevices at the start', () => {
  it('bounds the devices that match then, too: the first by their ids', async () => {
    const job = await givenContinuousJob(deviceNames(6), { maxDevices: 2 })

    expect(await chunks()).toEqual([{ chunk_no: 0, device_ids: ['device-0000', 'device-0001'] }])
    expect(await join(job)).toBe(0)
  })
})

describe('R112 nothing joins', () => {
  it('so late that the job may be completed before the search is over', async () => {
    const job = await givenContinuousJob([])
    await tag(['device-0001'])

    expect(await join(job, { now: on('12:58:55') })).toBe(0)
    expect(await chunks()).toEqual([])
    expect(await join(job, { now: on('12:58:45') })).toBe(1)
  })

  it('a job that was cancelled, or whose window is over', async () => {
    const cancelled = await givenContinuousJob([])
    await tag(['device-0000'])
    await cancelJob(db, cancelled.jobId, noon)
    const late = await givenContinuousJob(['device-0000'], {}, 'late')

    expect(await join(cancelled)).toBe(0)
    await tag(['device-0001'])
    expect(await join(late, { now: on('13:00:00') })).toBe(0)
  })

  it('while its condition cannot be evaluated, and nothing is left half done', async () => {
    const job = await givenContinuousJob(['device-0001'])
    await tag(deviceNames(6))
    await rows(db, sql`update jobs set query_condition = 'tags.x ==' returning job_key`)

    await expect(join(job)).rejects.toThrow()
    expect(await chunks()).toEqual([{ chunk_no: 0, device_ids: ['device-0001'] }])
  })

  it('when the condition matches nobody any more', async () => {
    const job = await givenContinuousJob(['device-0001'])
    await rows(db, sql`update twins set tags = '{}' returning device_id`)

    expect(await join(job)).toBe(0)
  })

  it('when a cancel comes while devices are searched: either they are canceled, or they never joined', async () => {
    for (let no = 0; no < 20; no += 1) {
      await forgetJobs(db)
      await rows(db, sql`update twins set tags = '{}' returning device_id`)
      const job = await givenContinuousJob([])
      await tag(deviceNames(6))
      const [count] = await Promise.all([join(job), cancelJob(db, job.jobId, noon)])

      expect(await counts(db, job.job)).toEqual([count, 0, 0, 0, 0, count])
    }
  })
})

describe('R113 the look at the whole fleet', () => {
  it('comes five seconds after the start, then once a minute, for one process of many', async () => {
    const job = await givenContinuousJob([])
    const look = async (time: string) => (await takeUncheckedJob(db, on(time)))?.key ?? null

    expect(await look('12:00:04')).toBeNull()
    const atOnce = await Promise.all([look('12:00:05'), look('12:00:05'), look('12:00:05')])
    expect(atOnce.filter((key) => key !== null)).toEqual([job.key])
    expect([await look('12:01:04'), await look('12:01:05')]).toEqual([null, job.key])
  })

  it('is for running continuous jobs only', async () => {
    const job = await givenContinuousJob([])
    expect(await findContinuousJobs(db, noon)).toMatchObject([{ key: job.key, jobId: 'continuous' }])
    await cancelJob(db, job.jobId, noon)
    expect(await findContinuousJobs(db, noon)).toEqual([])
  })
})

describe('R115 a device that has left before its turn', () => {
  it('is skipped by a twin job, and the others of its chunk are changed', async () => {
    const job = await givenContinuousJob(['device-0001', 'device-0002'], {}, 'twins', 'scheduleUpdateTwin')
    await rows(db, sql`update twins set tags = '{}' where device_id = 'device-0001' returning device_id`)
    const worked: string[] = []

    await execute(db, job.key, (deviceIds) => {
      worked.push(...deviceIds)
      return []
    })

    expect(worked).toEqual(['device-0002'])
    expect((await read(db, job.job)).statistics).toMatchObject({ deviceCount: 2, succeededCount: 1, skippedCount: 1 })
  })

  it('is found among others; one that is not registered is none, and a job that is not continuous has none', async () => {
    await tag(['device-0001'])
    const continuousCondition = 'tags.wanted = true'
    const ids = ['device-0001', 'device-0002', 'nobody']

    expect([...(await findLeavers(db, { continuousCondition }, ids))]).toEqual(['device-0002'])
    expect([...(await findLeavers(db, { continuousCondition: null }, ids))]).toEqual([])
  })

  it('is skipped with the other outcomes of its claim, and is counted so', async () => {
    const job = await givenContinuousJob(['device-0001', 'device-0002'])
    const claim = await claimed(db, job.key)
    await recordFirstAttempts(
      db,
      claim,
      [
        { deviceId: 'device-0001', status: 'skipped' },
        { deviceId: 'device-0002', status: 'completed', response: sent },
      ],
      noon,
    )

    expect((await read(db, job.job)).statistics).toMatchObject({ succeededCount: 1, skippedCount: 1, canceledCount: 0 })
  })
})

const sent = jsonText({ status: 200, payload: null })

async function givenContinuousJob(
  matching: readonly string[],
  extensions: { maxDevices?: number; rollout?: { stages: { size?: number; approval?: 'manual' }[] } } = {},
  jobId = 'continuous',
  type: JobType = 'scheduleDeviceMethod',
) {
  await tag(matching)
  const job = await insertJob(
    db,
    {
      jobId: parseJobId(jobId),
      type,
      target: { kind: 'condition', queryCondition: 'tags.wanted = true' },
      queryCondition: 'tags.wanted = true',
      body: {},
      startTime: null,
      maxExecutionTimeInSeconds: 3600,
      extensions: { targetSelection: 'continuous', ...extensions },
    },
    noon,
  )
  if (job === null) throw new Error('the job exists')
  await start(db, job.key)
  return { key: job.key, jobId, type: job.type, priority: 500, job }
}

function join(job: ContinuousJob, { among = null, now = noon }: { among?: string[] | null; now?: Date } = {}) {
  return joinDevices(db, job, { among, chunkSize: () => 100 }, now)
}

async function tag(ids: readonly string[]): Promise<void> {
  await rows(
    db,
    sql`update twins set tags = '{"wanted": true}' where device_id = any(${texts(ids)}) returning device_id`,
  )
}

function chunks() {
  return rows<{ chunk_no: number; device_ids: string[] }>(
    db,
    sql`select chunk_no, device_ids from chunks order by chunk_no`,
  )
}
