import type { Job } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { failJob } from '../../../src/jobs/jobs.ts'
import { ConditionError } from '../../../src/jobs/start/start-job.ts'
import { readDevicePage } from '../../../src/outcomes/device-page.ts'
import { type Db, rows, texts } from '../../../src/postgres/sql.ts'
import { claim, deviceNames, givenDevices, givenJob, openStore, read, start } from '../engine.ts'
import { devicesByStage, givenStagedJob, stageRows, workOff } from './staged.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenDevices(db, deviceNames(40), { isReachable: true })
  // Ten devices on each of the floors 3, 2, 1 and 0.
  await rows(
    db,
    sql`
    update twins set tags = jsonb_build_object('place', jsonb_build_object('floor', 3 - right(device_id, 4)::int / 10))
     where device_id = any(${texts(deviceNames(40))})
    returning device_id`,
  )
})
afterAll(() => store[Symbol.asyncDispose]())

const all = { target: { kind: 'condition', queryCondition: '*' } } as const
const sizesOf = async (job: Job) => (await stageRows(db, job)).map(({ device_count }) => device_count)

describe('R10 the sizes of stages', () => {
  it.each([
    ['a count and the rest', [{ size: 3 }, {}], [3, 37]],
    ['shares of the whole target', [{ size: '5%' }, { size: '25%' }, { size: '70%' }], [2, 10, 28]],
    ['a share that rounds up, and one that rounds down', [{ size: '3.75%' }, { size: '3.74%' }, {}], [2, 1, 37]],
    ['a share that rounds to 0 is one device', [{ size: '0.01%' }, {}], [1, 39]],
    ['the last stage takes the rest, whatever its size says', [{ size: '10%' }, { size: '10%' }], [4, 36]],
    ['a single stage has all', [{ size: 3 }], [40]],
    ['too large ones leave nothing for the later ones', [{ size: 30 }, { size: 30 }, { size: 30 }, {}], [30, 10, 0, 0]],
    ['counts and shares', [{ size: 1 }, { size: '50%' }, {}], [1, 20, 19]],
  ])('are %s', async (_, stages, expected) => {
    const job = await givenStagedJob(db, { stages }, all)

    expect(await sizesOf(job)).toEqual(expected)
    expect((await devicesByStage(db, job)).flat().toSorted()).toEqual(deviceNames(40))
    expect((await read(db, job)).statistics?.deviceCount).toBe(40)
  })
})

describe('R11 the condition of a stage', () => {
  it('takes the devices that meet it, each into the first such stage, and the others go to the last', async () => {
    const stages = [
      { condition: 'tags.place.floor = 2' },
      { condition: 'tags.place.floor >= 2' },
      { condition: 'tags.place.floor = 9' },
      {},
    ]
    const job = await givenStagedJob(db, { stages }, all)

    const ids = deviceNames(40)
    expect(await devicesByStage(db, job)).toEqual([ids.slice(10, 20), ids.slice(0, 10), [], ids.slice(20)])
  })

  it('goes before the sizes: they take of the devices that no condition takes, of the whole target', async () => {
    const stages = [{ size: '10%' }, { condition: 'tags.place.floor = 3' }, {}]
    const job = await givenStagedJob(db, { stages, order: 'id' }, all)

    const ids = deviceNames(40)
    expect(await devicesByStage(db, job)).toEqual([ids.slice(10, 14), ids.slice(0, 10), ids.slice(14)])
  })

  it('of the last stage takes nothing away from it', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 5 }, { condition: 'tags.place.floor = 0' }] }, all)

    expect(await sizesOf(job)).toEqual([5, 35])
    expect((await devicesByStage(db, job))[1]).toEqual(expect.arrayContaining(deviceNames(40).slice(30)))
  })

  it('is met by no device that is not registered', async () => {
    const devices = [...deviceNames(2), 'ghost']
    const job = await givenStagedJob(db, { stages: [{ condition: 'NOT tags.place.floor = 7' }, {}] }, { devices })

    expect(await devicesByStage(db, job)).toEqual([deviceNames(2), ['ghost']])
  })

  it('may name the connection of a device, and its registration', async () => {
    const condition = "connectionState = 'Connected' AND status = 'enabled'"
    const job = await givenStagedJob(db, { stages: [{ condition }, {}] }, all)

    expect(await sizesOf(job)).toEqual([40, 0])
  })

  it('that cannot be evaluated fails the start, and so the job', async () => {
    const job = await givenJob(db, { extensions: { rollout: { stages: [{ condition: 'tags.' }, {}] } } })

    await expect(start(db, job.key)).rejects.toThrow(ConditionError)
    expect((await failJob(db, job.key, 'it cannot be evaluated', new Date()))?.status).toBe('failed')
  })
})

describe('R12 the order', () => {
  it('is random by default, another one for each job, and the same if a job starts again', async () => {
    const stages = [{ size: 20 }, {}]
    const jobs = [await givenStagedJob(db, { stages }, all), await givenStagedJob(db, { stages, order: 'random' }, all)]
    const firsts = await Promise.all(jobs.map(async (job) => (await devicesByStage(db, job))[0]))
    const [first] = jobs
    if (first === undefined) throw new Error('there is no job')
    await startAgain(first)

    expect(firsts[0]).not.toEqual(firsts[1])
    expect(firsts[0]).not.toEqual(deviceNames(20))
    expect((await devicesByStage(db, first))[0]).toEqual(firsts[0])
  })

  it('is that of the ids', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 20 }, {}], order: 'id' }, all)

    expect((await devicesByStage(db, job))[0]).toEqual(deviceNames(20))
  })

  it('is that of a tag, as numbers, and devices without it come last', async () => {
    const devices = [...deviceNames(40), 'ghost']
    const stages = [{ size: 10 }, { size: 30 }, {}]
    const job = await givenStagedJob(db, { stages, order: { tag: 'tags.place.floor' } }, { devices })

    expect((await devicesByStage(db, job))[0]).toEqual(deviceNames(40).slice(30))
    expect((await devicesByStage(db, job))[2]).toEqual(['ghost'])
  })
})

describe('R13 chunks of a job with stages', () => {
  it('belong to one stage each, stand in its order, and are in the order of the ids', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 5 }, {}] }, { ...all, chunkSize: 10 })

    const chunks = await rows<{ chunk_no: number; stage_no: number; ids: string[]; device_count: number }>(
      db,
      sql`select chunk_no, stage_no, device_ids as ids, device_count from chunks where job_key = ${job.key} order by chunk_no`,
    )
    expect(chunks.map(({ chunk_no, stage_no, device_count }) => [chunk_no, stage_no, device_count])).toEqual([
      [0, 0, 5],
      [1, 1, 10],
      [2, 1, 10],
      [3, 1, 10],
      [4, 1, 5],
    ])
    for (const { ids } of chunks) expect(ids).toEqual(ids.toSorted())
  })

  it('can be read device by device, each once, with the outcome of each', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 7 }, { size: 13 }, {}] }, { ...all, chunkSize: 3 })
    const worked = await workOff(db, job, { fail: 4 })

    const failed = await readAll(job, ['failed'])
    const pending = await readAll(job, ['pending'])
    const everyone = await readAll(job, null)
    const one = await readAll(job, null, worked[5])

    expect(failed.toSorted()).toEqual(worked.slice(0, 4).toSorted())
    expect(pending).toHaveLength(33)
    expect(everyone.toSorted()).toEqual(deviceNames(40))
    expect(one).toEqual([worked[5]])
  })
})

describe('R14 an empty stage', () => {
  it('at the beginning opens and closes by itself', async () => {
    const stages = [{ condition: 'tags.place.floor = 9' }, { condition: 'tags.place.floor = 8' }, { size: 3 }, {}]
    const job = await givenStagedJob(db, { stages }, all)

    const shown = (await stageRows(db, job)).map(({ opened_at, closed_at }) => [opened_at !== null, closed_at !== null])
    expect(shown).toEqual([
      [true, true],
      [true, true],
      [true, false],
      [false, false],
    ])
    expect((await claim(db, job.key))?.deviceIds).toHaveLength(3)
  })

  it('may be every one', async () => {
    const queryCondition = "deviceId = 'nobody'"
    const nobody = { target: { kind: 'condition', queryCondition }, queryCondition } as const
    const job = await givenStagedJob(db, { stages: [{ size: 3 }, {}] }, nobody)

    expect(await sizesOf(job)).toEqual([0, 0])
    expect((await read(db, job)).status).toBe('running')
  })
})

it('R15 a process that knows no stages cannot start a job that has them', async () => {
  const job = await givenJob(db, { extensions: { rollout: { stages: [{ size: 1 }, {}] } } })

  const started = rows(
    db,
    sql`update jobs set status = 'running', week = '2026-03-02', frozen_at = now() where job_key = ${job.key} returning job_key`,
  )

  await expect(started).rejects.toMatchObject({ cause: { constraint: 'jobs_watched_check' } })
})

async function startAgain(job: Job): Promise<void> {
  for (const table of ['chunks', 'stages'])
    await rows(db, sql`delete from ${sql.raw(table)} where job_key = ${job.key}`)
  await rows(
    db,
    sql`update jobs set status = 'queued', week = null, frozen_at = null, last_stage = null where job_key = ${job.key} returning job_key`,
  )
  await start(db, job.key)
}

/** The ids of the devices of a job on all pages, which are small. */
async function readAll(job: Job, statuses: ['failed' | 'pending'] | null, deviceId: string | null = null) {
  const ids: string[] = []
  let after: string | null = null
  do {
    const write = (members: Readonly<Record<string, unknown>>) => {
      ids.push(String(members.deviceId))
      return JSON.stringify(members)
    }
    const request = { limit: 7, after, write, withCounts: false }
    const page: Awaited<ReturnType<typeof readDevicePage>> = await readDevicePage(
      db,
      job.jobId,
      { statuses, errorCodes: null, deviceId },
      request,
    )
    after = page?.continuation ?? null
  } while (after !== null)
  return ids
}
