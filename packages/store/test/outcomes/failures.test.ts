import type { Job } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancelJob } from '../../src/jobs/jobs.ts'
import { expireOverdueJobs } from '../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { type Failures, readFailures } from '../../src/outcomes/failures.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { forgetJobs } from '../forget-jobs.ts'
import {
  claimed,
  deviceNames,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
} from '../jobs/engine.ts'
import { askPages } from '../queries/queries.ts'
import { givenOutcomes } from './given-outcomes.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db
beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

async function failuresOf({ jobId }: Job, paths: readonly string[] | null = null): Promise<Failures> {
  const failures = await readFailures(db, jobId, paths)
  if (failures === null) throw new Error(`there is no job ${jobId}`)
  return failures
}

/** The failed rows of a job by code and text, with their devices in the order of their ids. */
async function countRows({ jobId }: Job) {
  const pages = await askPages(db, `SELECT * FROM devices.jobs WHERE jobId = '${jobId}' AND status = 'failed'`, 1000)
  const groups = new Map<string, string[]>()
  for (const row of pages.flat()) {
    const { deviceId, error } = JSON.parse(JSON.stringify(row))
    const key = `${error.code}: ${error.description}`
    groups.set(key, [...(groups.get(key) ?? []), deviceId])
  }
  return groups
}

describe('the failures of a job', () => {
  it.each([
    ['runs', async () => {}],
    ['was cancelled', (jobId: string) => cancelJob(db, jobId, noon)],
    ['is over', () => expireOverdueJobs(db, { limit: 10 }, on('13:00:01'))],
  ])('D5 are the failed rows by code and text, with the first five devices, when it %s', async (_, end) => {
    const job = await givenOutcomes(db)
    await end(job.jobId)

    const { groups, failedCount, others } = await failuresOf(job)

    const expected = await countRows(job)
    const shown = groups.map(({ code, text, count, sampleDeviceIds }) => [`${code}: ${text}`, count, sampleDeviceIds])
    expect(shown.toSorted()).toEqual([...expected].map(([key, ids]) => [key, ids.length, ids.slice(0, 5)]).toSorted())
    expect(groups.map(({ count }) => count)).toEqual(groups.map(({ count }) => count).toSorted((a, b) => b - a))
    expect(failedCount).toBe([...expected.values()].flat().length)
    expect(others).toEqual({ groupCount: 0, deviceCount: 0 })
  })

  it('D5 of texts that name their device are one group', async () => {
    const job = await givenRunningJob(db, { devices: 6 })
    const error = (description: string, code: 'DeviceNotFound' | 'ServerError') => ({ code, description })
    await recordFirstAttempts(
      db,
      await claimed(db, job.key),
      deviceNames(6).map((deviceId, index) => ({
        deviceId,
        status: 'failed',
        error:
          index < 3
            ? error(`the device ${deviceId} is not registered`, 'DeviceNotFound')
            : error(`Its log has the reason, under the tracking id ${index}A-2.`, 'ServerError'),
      })),
      noon,
    )

    const { groups } = await failuresOf(job)

    expect(groups.map(({ text, count }) => [text, count])).toEqual([
      ['the device {deviceId} is not registered', 3],
      ['Its log has the reason, under the tracking id {trackingId}.', 3],
    ])
  })

  it('D5 in more than a hundred groups are shown in a hundred, and the others are summed', async () => {
    const job = await givenRunningJob(db, { devices: 130, chunkSize: 200 })
    const outcomes = deviceNames(130).map((deviceId, index) => {
      const error = { code: 'GatewayTimeout', description: `text ${Math.min(index, 104)}` } as const
      return { deviceId, status: 'failed', error } as const
    })
    await recordFirstAttempts(db, await claimed(db, job.key), outcomes, noon)

    const { groups, others, failedCount } = await failuresOf(job)

    expect(groups).toHaveLength(100)
    expect(groups[0]).toMatchObject({ text: 'text 104', count: 26 })
    expect([others, failedCount]).toEqual([{ groupCount: 5, deviceCount: 5 }, 130])
  })

  it('are none before it has started, and while nothing has failed', async () => {
    const [planned, running] = [await givenJob(db), await givenRunningJob(db, { devices: 2 })]

    expect(await failuresOf(planned)).toMatchObject({ deviceCount: 0, failedCount: 0, groups: [] })
    expect(await failuresOf(running)).toMatchObject({ deviceCount: 2, failedCount: 0, groups: [] })
    expect(await readFailures(db, 'no-such-job', null)).toBeNull()
  })
})

/** Tags of `d0`, `d1`, ... by their numbers. `failing`: which of them fail, in chunks of 500, as SQL over `n`. */
async function givenFleetJob(count: number, { tags, failing }: { tags: string; failing: string }): Promise<Job> {
  await forgetJobs(db)
  await rows(db, sql`truncate devices, twins cascade`)
  const job = await givenRunningJob(db, { devices: 1 })
  await rows(db, sql`truncate chunks, device_jobs`)
  await db.execute(`
    insert into devices (device_id, generation_id, created_at)
    select 'd' || n, '1', now() from generate_series(0, ${count - 1}) as n`)
  await db.execute(`
    insert into twins (device_id, tags) select 'd' || n, ${tags} from generate_series(0, ${count - 1}) as n`)
  await db.execute(`
    insert into chunks (week, job_key, chunk_no, device_ids, device_count, status, attempted, succeeded, failed)
    select week, job_key, n / 500, array_agg('d' || n order by ('d' || n) collate "C"), count(*), 'attempted', count(*),
           count(*) filter (where not (${failing})), count(*) filter (where ${failing})
      from jobs, generate_series(0, ${count - 1}) as n group by 1, 2, 3`)
  await db.execute(`
    insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, updated_at, error_code, error_text)
    select week, job_key, n / 500, 'd' || n, 'failed', 1, now(), 'GatewayTimeout', 'no answer'
      from jobs, generate_series(0, ${count - 1}) as n where ${failing}`)
  await db.execute('analyze twins, chunks, device_jobs')
  return job
}

describe('the tags of failed devices', () => {
  const tags = `jsonb_build_object('firmware', case when n % 10 = 0 then '1.2.3' else '1.3.0' end, 'serial', 'x' || n,
    'site', jsonb_build_object('building', n % 7, 'isNew', n % 2 = 0))`
  const failing = '(n % 10 = 0 and n % 100 <> 0) or n % 97 = 0'
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
  const isFailing = (n: number) => (n % 10 === 0 && n % 100 !== 0) || n % 97 === 0
  const shareOf = (some: readonly number[], hasValue: (n: number) => boolean) =>
    some.filter(hasValue).length / some.length

  it('D6 are compared with those of the target set, exactly while it is small', async () => {
    const job = await givenFleetJob(2000, { tags, failing })

    const { groups, paths, sampledCount } = await failuresOf(job)

    const all = numbers(2000)
    const failed = all.filter(isFailing)
    const hasOld = (n: number) => n % 10 === 0
    const [share, targetShare] = [shareOf(failed, hasOld), shareOf(all, hasOld)]
    expect(groups).toHaveLength(1)
    expect(groups[0]).toMatchObject({ count: failed.length, sampledCount: failed.length })
    expect(groups[0]?.overRepresented).toEqual([
      {
        path: 'firmware',
        value: '1.2.3',
        count: failed.filter(hasOld).length,
        share,
        targetShare,
        lift: share / targetShare,
      },
      expect.objectContaining({ path: 'site.isNew', value: true }),
    ])
    expect(sampledCount).toBe(2000)
    expect(paths).toEqual(['site.isNew', 'firmware', 'site.building', 'serial'])
  })

  it('D6 are only those that the caller names', async () => {
    const job = await givenFleetJob(2000, { tags, failing })

    const { groups, paths } = await failuresOf(job, ['site.building', 'site', 'serial', 'no.such'])

    expect(groups[0]?.overRepresented).toEqual([])
    expect(paths).toEqual(['site.building', 'site', 'serial', 'no.such'])
  })

  it('D6 of a value that only failed devices have, and few of them, are not taken for a cause', async () => {
    const job = await givenFleetJob(100, {
      tags: `jsonb_build_object('batch', case when n < 4 then 'b1' else 'b2' end)`,
      failing: 'n < 4',
    })

    expect((await failuresOf(job)).groups[0]?.overRepresented).toEqual([])
  })

  it('D7 of a large target set are estimated from a sample, and the counts stay exact', async () => {
    const job = await givenFleetJob(30_000, { tags, failing: `${failing} or n % 2 = 1` })

    const { groups, sampledCount, failedCount } = await failuresOf(job, ['firmware', 'site.isNew'])

    const all = numbers(30_000)
    const failed = all.filter((n) => isFailing(n) || n % 2 === 1)
    const [group] = groups
    const odd = group?.overRepresented.find(({ value }) => value === false)
    expect([failedCount, group?.count]).toEqual([failed.length, failed.length])
    expect(sampledCount).toBeGreaterThan(4000)
    expect(sampledCount).toBeLessThan(6000)
    expect(group?.sampledCount).toBeLessThan(6000)
    expect(odd?.share).toBeCloseTo(
      shareOf(failed, (n) => n % 2 === 1),
      1,
    )
    expect(odd?.targetShare).toBeCloseTo(0.5, 1)
  })

  it('D7 of every failed device are compared while few have failed, in however many groups', async () => {
    const job = await givenFleetJob(2000, { tags, failing: 'true' })
    await db.execute(
      `update device_jobs set error_text = case when chunk_no < 2 then 'one' else 'one of ' || right(device_id, 2) end`,
    )

    const { groups } = await failuresOf(job, ['firmware'])

    expect(groups).toHaveLength(100)
    expect(groups[0]).toMatchObject({ text: 'one', count: 1000, sampledCount: 1000 })
    expect(groups.map(({ sampledCount }) => sampledCount)).toEqual(groups.map(({ count }) => count))
  })

  it('D7 of a small group beside a large one are all compared', async () => {
    const job = await givenFleetJob(30_000, { tags, failing: 'n % 2 = 1' })
    await db.execute(`update device_jobs set error_code = 'GenericBadGateway', error_text = 'torn'
      where device_id in (select 'd' || n from generate_series(1, 29999, 2) as n where n % 1001 = 0)`)

    const { groups } = await failuresOf(job, ['firmware'])

    expect(groups.map(({ code, count, sampledCount }) => [code, count, sampledCount])).toEqual([
      ['GatewayTimeout', 14_985, expect.any(Number)],
      ['GenericBadGateway', 15, 15],
    ])
  })

  it('D7 of devices that the window left over are compared, too', async () => {
    await givenFleetJob(2000, { tags, failing: 'false' })
    await db.execute(
      `update chunks set succeeded = 0, failed = device_count, rest = 'expired', rest_at = now() where chunk_no = 1`,
    )
    const [row] = await rows<{ job_id: string }>(db, sql`select job_id from jobs`)

    const failures = await readFailures(db, row?.job_id ?? '', ['firmware'])

    expect(failures?.groups).toMatchObject([
      {
        code: 'JobRunPreconditionFailed',
        count: 500,
        sampledCount: 500,
        sampleDeviceIds: ['d500', 'd501', 'd502', 'd503', 'd504'],
      },
    ])
  })
})
