import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancelJob } from '../../src/jobs/jobs.ts'
import { purgeHistory } from '../../src/jobs/sweeps/purge-history.ts'
import { databaseError } from '../../src/postgres/database-error.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { givenJob, noon, on, openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db
beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenJob(db)
})
afterAll(() => store[Symbol.asyncDispose]())

const changes = {
  update: sql`update job_events set actor = 'policy:another'`,
  'update of nothing': sql`update job_events set actor = 'policy:another' where event_no = 0`,
  delete: sql`delete from job_events`,
  truncate: sql`truncate job_events`,
  'truncate of jobs': sql`truncate jobs cascade`,
}

describe('E2 events are not changed', () => {
  it.each(Object.entries(changes))('also by a superuser: %s', async (_, statement) => {
    const refused = await rows(db, statement).then(
      () => 'done',
      (error: unknown) => databaseError(error).message,
    )

    expect(refused).toMatch(/^job_events takes no (update|delete|truncate): /)
    expect(await rows(db, sql`select kind from job_events`)).toEqual([{ kind: 'created' }])
  })

  it('the owner of the table has no right to change them, and retention deletes as that owner', async () => {
    await using own = await openStore()
    const job = await givenJob(own.db)
    await cancelJob(own.db, job.jobId, noon)
    const owner = `owner_${process.pid}_${Date.now()}`
    await rows(own.db, sql.raw(`create role ${owner}`))
    try {
      for (const statement of [
        `grant all on schema public to ${owner}`,
        ...['jobs', 'stages', 'job_events', 'chunks', 'device_jobs', 'stops'].map(
          (table) => `alter table ${table} owner to ${owner}`,
        ),
      ]) {
        await rows(own.db, sql.raw(statement))
      }
      const asOwner = (statement: (tx: Db) => Promise<unknown>) =>
        own.db.transaction(async (tx) => {
          await rows(tx, sql.raw(`set local role ${owner}`))
          return statement(tx)
        })

      for (const statement of [changes.update, changes.truncate]) {
        const refused = await asOwner((tx) => rows(tx, statement)).catch(databaseError)
        expect(refused).toMatchObject({ message: 'permission denied for table job_events' })
      }
      expect(await asOwner((tx) => purgeHistory(tx, { endedBefore: on('13:00:00'), limit: 10 }))).toBe(1)
      expect(await rows(own.db, sql`select * from job_events`)).toEqual([])
    } finally {
      await rows(own.db, sql.raw(`reassign owned by ${owner} to current_user`))
      await rows(own.db, sql.raw(`drop owned by ${owner}`))
      await rows(own.db, sql.raw(`drop role ${owner}`))
    }
  })
})
