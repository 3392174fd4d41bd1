import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { findDueJobs } from '../../../src/jobs/sweeps/find-due-jobs.ts'
import { givenJob, noon, on, openStore, start } from '../engine.ts'
import { setJob } from './set-rows.ts'

it('J44 the higher priority starts first, and then the earlier start', async () => {
  await using own = await openStore()
  const low = await givenJob(own.db, { startTime: on('11:30:00') }, on('10:00:00'))
  const late = await givenJob(own.db, { startTime: on('11:50:00') }, on('10:00:00'))
  const early = await givenJob(own.db, { startTime: on('11:40:00') }, on('10:00:00'))
  for (const job of [late, early]) await setJob(own.db, job, sql`priority = 501`)

  const due = await findDueJobs(own.db, { limit: 10 }, noon)
  const outOfTurn = [
    await start(own.db, low.key, { maxRunningJobs: 1 }),
    await start(own.db, late.key, { maxRunningJobs: 1 }),
  ]
  const inTurn = await start(own.db, early.key, { maxRunningJobs: 1 })

  expect(due).toEqual([early.key, late.key, low.key])
  expect(outOfTurn.map(({ kind }) => kind)).toEqual(['full', 'full'])
  expect(inTurn.kind).toBe('started')
})
