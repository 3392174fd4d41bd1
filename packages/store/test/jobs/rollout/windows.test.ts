import type { Job, Window } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { readRunningJob } from '../../../src/jobs/chunks.ts'
import { markReachable } from '../../../src/jobs/device-jobs.ts'
import { joinDevices } from '../../../src/jobs/rollout/continuous.ts'
import { windowEnd } from '../../../src/jobs/rollout/windows.ts'
import { expireOverdueJobs } from '../../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { findForgottenWork } from '../../../src/jobs/sweeps/find-forgotten-work.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import {
  claim,
  claimDue,
  claimed,
  counts,
  execute,
  givenDevices,
  givenJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
  start,
  worker,
} from '../engine.ts'

let db: Db
beforeEach(async () => {
  const own = await openStore()
  onTestFinished(() => own[Symbol.asyncDispose]())
  db = own.db
})

/** Of the device's own zone: from 13:00 to 14:00. On the day of these tests Berlin is at UTC+1, New York at UTC-5. */
const early: Window = { cron: '0 13 * * *', durationMinutes: 60, timeZone: 'tags.site.zone' }

async function givenZones(zones: Readonly<Record<string, string | null>>): Promise<void> {
  const ids = Object.keys(zones)
  await givenDevices(db, ids, { isReachable: false })
  for (const [id, zone] of Object.entries(zones)) {
    if (zone === null) continue
    const tags = JSON.stringify({ site: { zone } })
    await rows(db, sql`update twins set tags = ${tags}::jsonb where device_id = ${id} returning device_id`)
  }
}

async function givenStarted(
  windows: readonly Window[],
  request: Parameters<typeof givenJob>[1] = {},
  chunkSize = 100,
): Promise<Job> {
  const job = await givenJob(db, {
    target: { kind: 'condition', queryCondition: '*' },
    maxExecutionTimeInSeconds: 86_400,
    ...request,
    extensions: { ...request.extensions, windows: [...windows] },
  })
  await start(db, job.key, { chunkSize })
  return job
}

async function chunksOf({ key }: Job): Promise<readonly string[]> {
  const found = await rows<{ text: string }>(
    db,
    sql`
    select concat_ws(' ', chunk_no, zone, array_to_string(device_ids, ','), to_char(not_before, 'HH24:MI')) as text
      from chunks where job_key = ${key} order by chunk_no`,
  )
  return found.map(({ text }) => text)
}

const forgotten = async (now: Date) => (await findForgottenWork(db, { limit: 10 }, now)).map(({ kind }) => kind)

const threeZones = { d1: 'Europe/Berlin', d2: 'UTC', d3: 'Europe/Berlin', d4: 'America/New_York', d5: 'UTC' }

describe('R90 the zone of a device', () => {
  it('is read at the start, and all devices of a chunk have the same', async () => {
    await givenZones(threeZones)

    const job = await givenStarted([early], {}, 2)

    expect(await chunksOf(job)).toEqual([
      '0 America/New_York d4',
      '1 Europe/Berlin d1',
      '2 Europe/Berlin d3',
      '3 UTC d2',
      '4 UTC d5',
    ])
    expect((await readRunningJob(db, job.key))?.zones).toEqual(['America/New_York', 'Europe/Berlin', 'UTC'])
  })

  it('is UTC when its tag is missing or names none; an older name of a zone is one', async () => {
    await givenZones({ d1: null, d2: 'Mars/Base', d3: '', d4: 'Asia/Kolkata', d5: 'Asia/Calcutta' })

    const job = await givenStarted([early], {
      target: { kind: 'devices', deviceIds: ['d1', 'd2', 'd3', 'd4', 'd5', 'unknown'] },
    })

    expect(await chunksOf(job)).toEqual(['0 Asia/Calcutta d5', '1 Asia/Kolkata d4', '2 UTC d1,d2,d3,unknown'])
  })

  it('does not matter to windows that have zones of their own', async () => {
    await givenZones(threeZones)

    const job = await givenStarted([{ cron: '0 13 * * *', durationMinutes: 60 }])

    expect(await chunksOf(job)).toEqual(['0 UTC d1,d2,d3,d4,d5'])
  })
})

describe('R90 a device has its zone', () => {
  it('in each stage of a job', async () => {
    await givenZones(threeZones)

    const job = await givenStarted([early], {
      extensions: { rollout: { stages: [{ size: 2 }, {}], order: 'id' } },
    })

    const staged = await rows<{ text: string }>(
      db,
      sql`
      select concat_ws(' ', stage_no, zone, array_to_string(device_ids, ',')) as text
        from chunks where job_key = ${job.key} order by chunk_no`,
    )
    expect(staged.map(({ text }) => text)).toEqual([
      '0 Europe/Berlin d1',
      '0 UTC d2',
      '1 America/New_York d4',
      '1 Europe/Berlin d3',
      '1 UTC d5',
    ])
  })

  it('when it joins a continuous job', async () => {
    await givenZones({ d1: 'UTC' })
    const job = await givenStarted([early], { extensions: { targetSelection: 'continuous' } })
    await givenZones({ d2: 'Europe/Berlin', d3: 'UTC', d4: 'Europe/Berlin' })

    const joining = { key: job.key, jobId: job.jobId, type: job.type, priority: job.priority }
    await joinDevices(db, joining, { among: null, chunkSize: () => 100 }, noon)

    expect(await chunksOf(job)).toEqual(['0 UTC d1', '1 Europe/Berlin d2,d4', '2 UTC d3'])
    expect((await readRunningJob(db, job.key))?.zones).toEqual(['Europe/Berlin', 'UTC'])
    expect((await claimed(db, job.key)).deviceIds).toEqual(['d2', 'd4'])
  })
})

describe('R89 outside of the windows', () => {
  it('no attempt starts, and nobody is woken until one opens', async () => {
    await givenZones(threeZones)
    const job = await givenStarted([early])

    expect((await claimed(db, job.key)).deviceIds).toEqual(['d1', 'd3'])
    expect(await claim(db, job.key)).toBeNull()

    expect(await chunksOf(job)).toEqual(['0 America/New_York d4 18:00', '1 Europe/Berlin d1,d3', '2 UTC d2,d5 13:00'])
    expect(await forgotten(on('12:59:59'))).toEqual([])
    expect(await forgotten(on('13:00:00'))).toEqual(['chunks'])
    expect((await claimed(db, job.key, on('13:00:00'))).deviceIds).toEqual(['d2', 'd5'])
    expect(await claim(db, job.key, on('17:59:59'))).toBeNull()
    expect((await claimed(db, job.key, on('18:59:59'))).deviceIds).toEqual(['d4'])
  })

  it('a claim looks at the windows itself: work that was not put off stays where it is', async () => {
    await givenZones({ d1: 'UTC', d2: 'UTC' })
    const job = await givenStarted([early], {}, 1)
    await claimed(db, job.key, on('13:59:59'))

    expect(await forgotten(on('14:00:00'))).toEqual(['chunks'])
    expect(await claim(db, job.key, on('14:00:00'))).toBeNull()
    expect(await forgotten(on('14:00:01'))).toEqual([])
  })

  it('later attempts wait, too, also of a device that connects meanwhile', async () => {
    await givenZones(threeZones)
    const job = await givenStarted([early])
    const first = await claimed(db, job.key)
    const outcomes = [
      { deviceId: 'd1', status: 'pending', dueAt: null } as const,
      { deviceId: 'd3', status: 'pending', dueAt: on('12:59:00') } as const,
    ]
    await recordFirstAttempts(db, first, outcomes, on('12:00:01'))
    await markReachable(db, ['d1'], on('13:30:00'))
    const by = { workerId: worker, limit: 10 }

    expect(await claimDue(db, job.key, by, on('13:30:00'))).toBeNull()

    expect(await forgotten(on('13:30:00'))).toEqual(['chunks'])
    const next = new Date('2026-03-03T12:00:00Z')
    await rows(
      db,
      sql`update jobs set deadline_at = ${next.toISOString()}::timestamptz + interval '1 hour' returning job_key`,
    )
    expect(await forgotten(next)).toEqual(expect.arrayContaining(['due']))
    expect((await claimDue(db, job.key, by, next))?.attempts.map(({ deviceId }) => deviceId)).toEqual(['d1', 'd3'])
  })

  it('a job with a rate and a job of twins wait alike', async () => {
    await givenZones({ d1: 'UTC' })
    const paced = await givenStarted([early], { extensions: { rollout: { maximumPerMinute: 60 } } })
    const twins = await givenStarted([early], { type: 'scheduleUpdateTwin', body: { tags: { a: 1 } } })

    expect([await claim(db, paced.key), await execute(db, twins.key)]).toEqual([null, null])
    expect([await chunksOf(paced), await chunksOf(twins)]).toEqual([['0 UTC d1 13:00'], ['0 UTC d1 13:00']])
    expect((await claimed(db, paced.key, on('13:00:00'))).deviceIds).toEqual(['d1'])
    expect((await execute(db, twins.key, undefined, on('13:00:00')))?.deviceCount).toBe(1)
  })

  it('a job without windows goes on, whatever its devices have for zones', async () => {
    await givenZones(threeZones)
    const job = await givenJob(db, { target: { kind: 'condition', queryCondition: '*' } })
    await start(db, job.key)

    expect((await claimed(db, job.key)).deviceIds).toHaveLength(5)
    expect(await chunksOf(job)).toEqual(['0 d1,d2,d3,d4,d5'])
  })

  it('R91 a job that a dispatcher without windows has started keeps to them as one of UTC', async () => {
    await givenZones(threeZones)
    const job = await givenStarted([early])
    await rows(db, sql`update jobs set zones = null returning job_key`)
    await rows(db, sql`update chunks set zone = null returning chunk_no`)

    expect(await claim(db, job.key)).toBeNull()
    expect(await claim(db, job.key, on('13:00:00'))).not.toBeNull()
  })

  it('R93 the deadline ends what has had no window', async () => {
    await givenZones(threeZones)
    const job = await givenStarted([early], { maxExecutionTimeInSeconds: 7200 })
    await claim(db, job.key, on('13:00:00'))
    await claim(db, job.key, on('13:00:00'))

    await expireOverdueJobs(db, { limit: 10 }, on('14:00:00'))

    expect(await counts(db, job)).toEqual([5, 0, 3, 2, 0, 0])
  })
})

it('R92 a call reaches its device before the first end of an open window, or not at all', async () => {
  await givenZones(threeZones)
  const body = { methodName: 'ping', payload: 'null', responseTimeoutInSeconds: 30, connectTimeoutInSeconds: 0 }
  const windows = [early, { cron: '30 12 * * *', durationMinutes: 45, strictEnd: true }]
  const job = await givenStarted(windows, { body })
  const running = await readRunningJob(db, job.key)
  if (running === null) throw new Error('the job does not run')

  expect(windowEnd(running, noon)).toEqual(on('13:00:00'))
  expect(windowEnd(running, on('12:45:00'))).toEqual(on('13:14:30'))
  expect(windowEnd(running, on('16:00:00'))).toBeNull()
})
