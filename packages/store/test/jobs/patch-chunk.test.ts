import { type Job, type JsonObject, sectionBytes, type TwinPatch } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunningJob } from '../../src/jobs/chunks.ts'
import { type BegunChunk, type ChunkWork, executeChunk } from '../../src/jobs/execute-chunk.ts'
import { patchNextChunk } from '../../src/jobs/patch-chunk.ts'
import { setLocally } from '../../src/postgres/briefly.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { deleteIdentities } from '../../src/registry/identities.ts'
import { alongIndexes, patched } from '../../src/twins/sets.ts'
import { readTwin } from '../../src/twins/twins.ts'
import { deviceId, givenDevice } from '../fleet.ts'
import { counts, givenDevices, givenJob, noon, on, openStore, start } from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const both: TwinPatch = { tags: { floor: 3 }, desired: { interval: 5 } }

/** A twin job of these devices that has started. Those that are listed in `gone` were deleted after that. */
async function givenTwinJob(devices: readonly string[], { chunkSize = 100, gone = [] as readonly string[] } = {}) {
  const job = await givenJob(db, { type: 'scheduleUpdateTwin', devices })
  await start(db, job.key, { chunkSize })
  await deleteIdentities(db, gone.map(deviceId))
  return job
}

/** `rest`: what is done with the devices that the statement has left; their ids are noted. */
async function carryOut(job: Job, patch: TwinPatch, rest: ChunkWork['work'] = async () => done) {
  const running = await readRunningJob(db, job.key)
  if (running === null) throw new Error('the job has ended')
  const left: string[][] = []
  const begin = (tx: Db) => patchNextChunk(tx, running, patch, noon)
  const work: ChunkWork['work'] = (tx, chunk) => {
    left.push([...chunk.deviceIds])
    return rest(tx, chunk)
  }
  return { executed: await executeChunk(db, running, { begin, work }, noon), left }
}

const done = { failures: [], desired: [] }

async function versionsOf(ids: readonly string[]): Promise<unknown[]> {
  const twins = await Promise.all(ids.map((id) => readTwin(db, deviceId(id))))
  return twins.map((twin) => twin?.version)
}

describe('the next chunk of a twin job', () => {
  it('J10 is patched and ended in one statement, and only what connected devices must be told comes back', async () => {
    await givenDevices(db, ['one-a', 'one-b'], { isReachable: true })
    await givenDevices(db, ['one-c', 'one-d'], { isReachable: false })
    const job = await givenTwinJob(['one-a', 'one-b', 'one-c', 'one-d'], { chunkSize: 3 })

    const first = await carryOut(job, both)
    const second = await carryOut(job, both)
    const none = await carryOut(job, both)

    const versions = ['one-a', 'one-b'].map((identity) => ({ identity, version: 2 }))
    expect(first).toEqual({
      executed: {
        chunkNo: 0,
        deviceCount: 3,
        isFirst: true,
        failures: [],
        desired: [{ patch: both.desired, versions }],
      },
      left: [],
    })
    expect(second).toEqual({
      executed: { chunkNo: 1, deviceCount: 1, isFirst: false, failures: [], desired: [] },
      left: [],
    })
    expect(none).toEqual({ executed: null, left: [] })
    expect(await versionsOf(['one-a', 'one-b', 'one-c', 'one-d'])).toEqual([3, 3, 3, 3])
    expect(await readTwin(db, deviceId('one-c'))).toMatchObject({ tags: { floor: 3 } })
    expect(await counts(db, job)).toEqual([4, 4, 0, 0, 0, 0])
  })

  it('tells nobody when it writes tags alone', async () => {
    await givenDevices(db, ['tags-a'], { isReachable: true })
    const job = await givenTwinJob(['tags-a'])

    expect((await carryOut(job, { tags: { floor: 3 } })).executed).toEqual({
      chunkNo: 0,
      deviceCount: 1,
      isFirst: true,
      ...done,
    })
  })

  it('J10 leaves twins open that are deleted, made anew or nearly full, and patches the others once', async () => {
    const nearlyFull: JsonObject = Object.fromEntries(
      Array.from({ length: sectionBytes.tags / 1024 }, (_, n) => [`tag${n}`, 'x'.repeat(1000)]),
    )
    await givenDevices(db, ['left-a', 'left-anew', 'left-gone'], { isReachable: false })
    await givenDevice(db, 'left-full', { tags: nearlyFull })
    const job = await givenTwinJob(['left-a', 'left-anew', 'left-full', 'left-gone'], {
      gone: ['left-anew', 'left-gone'],
    })
    await givenDevice(db, 'left-anew')
    const error = { code: 'DeviceNotFound', description: 'gone' } as const
    const failures = ['left-anew', 'left-gone'].map((id) => ({ deviceId: id, error }))

    const { executed, left } = await carryOut(job, { tags: { more: 'y'.repeat(500) } }, async () => ({
      ...done,
      failures,
    }))

    expect(left).toEqual([['left-anew', 'left-full', 'left-gone']])
    expect(executed).toEqual({ chunkNo: 0, deviceCount: 4, isFirst: true, failures, desired: [] })
    expect(await versionsOf(['left-a', 'left-anew', 'left-full'])).toEqual([3, 2, 2])
    expect(await counts(db, job)).toEqual([4, 2, 2, 0, 0, 0])
  })

  it('leaves all devices open when the desired properties are cleared', async () => {
    await givenDevices(db, ['clear-a', 'clear-b'], { isReachable: true })
    const job = await givenTwinJob(['clear-a', 'clear-b'])

    const { left } = await carryOut(job, { desired: null })

    expect(left).toEqual([['clear-a', 'clear-b']])
    expect(await versionsOf(['clear-a', 'clear-b'])).toEqual([2, 2])
  })

  it('J32 is left open after ten failures, to be carried out one device after the other', async () => {
    await givenDevices(db, ['poison-a', 'poison-b'], { isReachable: false })
    const job = await givenTwinJob(['poison-a', 'poison-b'])
    await rows(db, sql`update chunks set claims = 10 where job_key = ${job.key} and status = 'ready'`)

    const { left } = await carryOut(job, both)

    expect(left).toEqual([['poison-a', 'poison-b']])
    expect(await versionsOf(['poison-a', 'poison-b'])).toEqual([2, 2])
  })

  it('J32 is put off when its statement fails, because then it is done without it', async () => {
    await givenDevices(db, ['fails-a'], { isReachable: false })
    const job = await givenTwinJob(['fails-a'])
    const running = await readRunningJob(db, job.key)
    if (running === null) throw new Error('the job has ended')
    const begin = async (tx: Db): Promise<BegunChunk | null> => {
      await rows(tx, sql`select 1 / 0`)
      return null
    }
    const work = async () => {
      throw new Error('it fails here, too')
    }

    await expect(executeChunk(db, running, { begin, work }, noon)).rejects.toThrow('the transaction of a chunk failed')
    expect(await executeChunk(db, running, { begin, work: async () => done }, noon)).toBeNull()
    const later = await executeChunk(db, running, { begin, work: async () => done }, on('12:00:01'))
    expect(later).toEqual({ chunkNo: 0, deviceCount: 1, isFirst: false, ...done })
  })

  it('finds its twins along their index, so that two of them lock in the same order', async () => {
    await givenDevices(db, ['plan-a', 'plan-b'], { isReachable: false })
    const plan = await db.transaction(async (tx) => {
      await setLocally(tx, alongIndexes)
      const ids = { deviceIds: sql`(select array['plan-a', 'plan-b'])::text[]`, firstId: sql`'plan-a'` }
      return rows<{ 'QUERY PLAN': string }>(tx, sql`explain with ${patched(ids, both, noon, 9)} select from patched`)
    })

    const text = plan.map((line) => line['QUERY PLAN']).join('\n')
    expect(text).toContain('Index Scan using twins_pkey')
    expect(text).toMatch(/Index Cond: \(device_id = ANY \(\$\d/)
  })
})
