import { type Db, ensurePartitions } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type LiveApi, startLiveApi } from '../live-api.ts'

let api: LiveApi
let db: Db
beforeAll(async () => {
  api = await startLiveApi()
  db = api.running.hub.db
  await ensurePartitions(db, new Date())
})
afterAll(() => api[Symbol.asyncDispose]())

/** 2000 devices with answers of 30 KB: 60 MB, far more than all buffers on the way to a reader hold. */
beforeEach(async () => {
  await db.execute('delete from jobs')
  await db.execute('truncate chunks, device_jobs')
  await db.execute(`
    insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at, deadline_at,
                      week, frozen_at)
    select 'large', 'scheduleDeviceMethod', 'running', '*',
           '{"methodName":"m","payload":"null","responseTimeoutInSeconds":30,"connectTimeoutInSeconds":0}', 3600, now(), now(),
           now() + interval '1 hour', week, now()
      from (select date_trunc('week', now() at time zone 'UTC')::date as week) as this`)
  await db.execute(`
    insert into chunks (week, job_key, chunk_no, device_ids, device_count, status, attempted, succeeded)
    select week, job_key, n / 500, array_agg('d' || n order by ('d' || n) collate "C"), 500, 'attempted', 500, 500
      from jobs, generate_series(0, 1999) as n group by 1, 2, 3`)
  await db.execute(`
    insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, updated_at, response)
    select week, job_key, n / 500, 'd' || n, 'completed', 1, now(),
           json_build_object('status', 200, 'payload', repeat('x', 30000))
      from jobs, generate_series(0, 1999) as n`)
})

async function load(signal?: AbortSignal) {
  const response = await fetch(
    `http://127.0.0.1:${api.http}/jobs/v2/large/devices?format=ndjson&api-version=2021-04-12`,
    { headers: { authorization: api.token }, ...(signal === undefined ? {} : { signal }) },
  )
  if (response.body === null) throw new Error('an answer without a body')
  return { status: response.status, reader: response.body.getReader() }
}

async function readToEnd({ reader }: Awaited<ReturnType<typeof load>>): Promise<number> {
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return bytes
    bytes += value.length
  }
}

describe('a file of the devices of a job', () => {
  it('D8 holds no connection to the database while its reader does not read', async () => {
    const file = await load()
    await file.reader.read()

    await eventually(async () => {
      const { rows } = await db.execute(
        `select state from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and state not in ('idle')`,
      )
      expect(rows).toEqual([])
    })
    expect(await readToEnd(file)).toBeGreaterThan(60_000_000)
  })

  it('D8 breaks off where it cannot be finished, and has no end that looks whole', async () => {
    const file = await load()
    await file.reader.read()
    await db.execute("delete from jobs where job_id = 'large'")

    await expect(readToEnd(file)).rejects.toThrow()
  })

  it('D8 gives up its place when its reader goes away; beside eight of them a ninth is refused', async () => {
    const leave = new AbortController()
    const files = await Promise.all(Array.from({ length: 8 }, () => load(leave.signal)))
    const refused = await load()
    leave.abort()

    expect([...files, refused].map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 200, 200, 503])
    await eventually(async () => {
      const again = await load()
      await again.reader.cancel()
      expect(again.status).toBe(200)
    })
  })
})
