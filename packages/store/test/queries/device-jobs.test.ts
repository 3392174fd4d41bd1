import { type JsonObject, jsonText, knownJobTypes, parsedText, parseJobType, withTexts } from '@muster/contract'
import { evaluate } from '@muster/query'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cancelJob } from '../../src/jobs/jobs.ts'
import { expireOverdueJobs } from '../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { queryDeviceJobs } from '../../src/queries/device-jobs.ts'
import { forgetJobs } from '../forget-jobs.ts'
import {
  claimed,
  deviceNames,
  execute,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
  start,
} from '../jobs/engine.ts'
import { conditionsAbout, whereOf } from './conditions.ts'
import { askDeviceJobs, askPages } from './queries.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())
beforeEach(async () => {
  await forgetJobs(db)
})

const everything = { limit: 1000, after: null }
const windowOver = expect.objectContaining({
  code: 'JobRunPreconditionFailed',
  description: expect.stringMatching(/.+/),
})

describe('the row of a device job', () => {
  it('has the members of the wire, and the deadline as its end', async () => {
    const job = await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 100 })

    const { items } = await askDeviceJobs(db, null, everything)

    expect(items).toEqual([
      {
        deviceId: 'device-0000',
        jobId: job.jobId,
        jobType: 'scheduleDeviceMethod',
        status: 'pending',
        startTimeUtc: '2026-03-02T12:00:00.000Z',
        endTimeUtc: '2026-03-02T12:01:40.000Z',
        createdDateTimeUtc: '2026-03-02T12:00:00.000Z',
        lastUpdatedDateTimeUtc: '2026-03-02T12:00:00.000Z',
        deliveries: 0,
        outcome: {},
        cloudToDeviceMethod: {
          methodName: 'ping',
          payload: null,
          responseTimeoutInSeconds: 30,
          connectTimeoutInSeconds: 0,
        },
      },
    ])
  })

  it('Q13 has the answer of the device with its numbers as they were sent', async () => {
    const job = await givenRunningJob(db, { devices: 1 })
    const response = parsedText('{"status":200,"payload":{"serial":9007199254740993}}')
    const outcomes = [{ deviceId: 'device-0000', status: 'completed', response }] as const
    await recordFirstAttempts(db, await claimed(db, job.key), outcomes, noon)

    const { items } = await queryDeviceJobs(db, null, { ...everything, write: withTexts })

    expect(items[0]).toContain(`"outcome":{"deviceMethodResponse":${response}}`)
  })

  it('of a job whose start had passed begins with the job, and ends with its window', async () => {
    const job = await givenJob(db, { startTime: on('09:00:00'), maxExecutionTimeInSeconds: 100 })
    await start(db, job.key)

    const { items } = await askDeviceJobs(db, whereOf('devices.jobs', "startTimeUtc = '2026-03-02T12:00'"), everything)

    const [first] = items
    expect(items).toHaveLength(3)
    expect(first).toMatchObject({
      startTimeUtc: '2026-03-02T12:00:00.000Z',
      endTimeUtc: '2026-03-02T12:01:40.000Z',
    })
  })

  it('is told by its own row once an attempt was recorded: the answer, the error, or the wait', async () => {
    const job = await givenRunningJob(db, { devices: 4 })
    const response = { status: 404, payload: { text: 'a \u0000 and a half \ud800 pair' } }
    await recordFirstAttempts(
      db,
      await claimed(db, job.key),
      [
        { deviceId: 'device-0000', status: 'completed', response: jsonText(response) },
        { deviceId: 'device-0001', status: 'failed', error: { code: 'GatewayTimeout', description: 'no answer' } },
        { deviceId: 'device-0002', status: 'pending', dueAt: null },
      ],
      on('12:00:09'),
    )

    expect(await shownRows()).toEqual([
      ['completed', '12:00:09', { deviceMethodResponse: response }, undefined],
      ['failed', '12:00:09', {}, { code: 'GatewayTimeout', description: 'no answer' }],
      ['pending', '12:00:09', {}, undefined],
      ['running', '12:00:00', {}, undefined],
    ])
  })

  it('is told by the rest of its chunk when it has no row, or one that waits', async () => {
    const [done, cancelled, expired] = await Promise.all([
      givenRunningJob(db, { devices: 2, type: 'scheduleUpdateTwin' }),
      givenRunningJob(db, { devices: 2 }),
      givenRunningJob(db, { devices: 2, maxExecutionTimeInSeconds: 60 }),
    ])
    await rows(
      db,
      sql`update chunks set status = 'attempted', attempted = 2, succeeded = 2, rest = 'completed', rest_at = ${noon.toISOString()} where job_key = ${done.key}`,
    )
    await waitFor(cancelled.key)
    await waitFor(expired.key)

    await cancelJob(db, cancelled.jobId, on('12:00:30'))
    await expireOverdueJobs(db, { limit: 10 }, on('12:01:00'))

    expect(await shownRows(`jobId = '${done.jobId}'`)).toEqual([
      ['completed', '12:00:00', {}, undefined],
      ['completed', '12:00:00', {}, undefined],
    ])
    expect(await shownRows(`jobId = '${cancelled.jobId}'`)).toEqual([
      ['canceled', '12:00:30', {}, undefined],
      ['canceled', '12:00:30', {}, undefined],
    ])
    expect(await shownRows(`jobId = '${expired.jobId}'`)).toEqual([
      ['failed', '12:01:00', {}, windowOver],
      ['failed', '12:01:00', {}, windowOver],
    ])
  })

  it.each(['canceled', 'expired'] as const)('stays running under its lease when the rest is %s', async (rest) => {
    const job = await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 60 })
    await claimed(db, job.key)

    if (rest === 'canceled') await cancelJob(db, job.jobId, on('12:00:30'))
    else await expireOverdueJobs(db, { limit: 10 }, on('12:01:00'))

    expect(await shownRows()).toEqual([['running', '12:00:00', {}, undefined]])
  })

  it('exists for every device of the target set, and for none before it is frozen', async () => {
    await givenRunningJob(db, { devices: 250, chunkSize: 100 })
    await givenJob(db, { devices: deviceNames(3), startTime: on('18:00:00') })

    const { items } = await askDeviceJobs(db, null, everything)

    expect(items.map((row) => row.deviceId)).toEqual(deviceNames(250))
  })
})

describe('a query over device jobs', () => {
  it('selects by every member that a row shows, as the reference evaluator does', async () => {
    await givenMixedJobs()
    const { items } = await askDeviceJobs(db, null, everything)
    const conditions = new Set([...items, twoMembers].flatMap(conditionsAbout))

    for (const condition of conditions) {
      const where = whereOf('devices.jobs', condition)
      const selected = await askDeviceJobs(db, where, everything)
      expect(selected.items, condition).toEqual(items.filter((row) => evaluate(where, row)))
    }
  })

  it.each([
    ["jobType = 'ScheduledDeviceMethod' AND jobType = 'scheduleDirectRequest'", 5],
    ["status = 'cancelled' OR status = 'Failed'", 2],
    ["status IN ['Cancelled', 'finished']", 6],
    ["status = 'Enqueued' AND jobId = 'mixed-3'", 1],
    ["status = 'scheduled'", 0],
    ["devices.jobs.createdTimeUtc > '2016-09-01' AND devices.jobs.status = 'completed'", 5],
    ["jobId = 'mixed-1' AND deviceId IN ['device-0001', 'device-0002']", 2],
    ["jobId = 'nobody' OR jobId = 'mixed-1'", 4],
    ["jobId = 'mixed-1' AND jobId = 'mixed-2'", 0],
    ['jobId = 7', 0],
    ["'mixed-1' = jobId AND outcome.deviceMethodResponse.status = 200", 2],
    ["outcome.deviceMethodResponse.payload.text = 'plain'", 1],
    ['is_defined(outcome.deviceMethodResponse) AND NOT is_defined(outcome.deviceMethodResponse.payload.text)', 1],
    ['is_object(outcome)', 9],
    ["error.code = 'GatewayTimeout' AND STARTSWITH(error.description, 'no')", 1],
    ["error.code IN ['DeviceNotFound', 'GatewayTimeout'] AND status = 'failed'", 1],
    ['is_defined(error)', 1],
    ['is_defined(moduleId)', 0],
    ["startTimeUtc >= '2026-03-02T13:30:00+01:00'", 1],
    ["endTimeUtc = '2026-03-02T13:00:00Z' AND startTimeUtc < endTimeUtc", 8],
    ["lastUpdatedDateTimeUtc > '2026-03-02T12:00:10Z' AND lastUpdatedDateTimeUtc <= '2026-03-02T12:00:12'", 4],
    ["CreatedTimeUtc = '2026-03-02T12:30' AND createddatetimeutc > '2026-03-02'", 1],
    ["DEVICES.JOBS.DEVICEID = 'device-0003' AND status = 'running'", 1],
  ])('takes every spelling and narrows the chunks by what is required: %s', async (condition, count) => {
    await givenMixedJobs()

    const { items } = await askDeviceJobs(db, whereOf('devices.jobs', condition), everything)

    expect(items).toHaveLength(count)
  })

  it.each(knownJobTypes)('knows jobs of the type %s', async (spelling) => {
    await givenMixedJobs()
    const type = parseJobType(spelling)

    const { items } = await askDeviceJobs(
      db,
      whereOf('devices.jobs', `jobType = '${spelling.toUpperCase()}' OR jobType IN ['${spelling}']`),
      everything,
    )

    expect(items).toHaveLength(type === 'scheduleDeviceMethod' ? 5 : 4)
    expect(new Set(items.map((row) => row.jobType))).toEqual(new Set([type]))
  })

  it('Q29 walks page by page along jobs and chunks, and meets each row once', async () => {
    await givenRunningJob(db, { devices: 130, chunkSize: 3 })
    await givenRunningJob(db, { devices: 70, chunkSize: 50 })
    const whole = await askDeviceJobs(db, null, everything)

    expect(await allPages(null, 7)).toEqual(whole.items)
    expect(whole.items).toHaveLength(200)
  })

  it('regression: selects every row, in the order of the jobs, where their keys gain a digit', async () => {
    await rows(db, sql`alter table jobs alter column job_key restart with 9`)
    const ninth = await givenRunningJob(db, { devices: 2 })
    const tenth = await givenRunningJob(db, { devices: 2 })
    const inOrder = [ninth, ninth, tenth, tenth].map(({ jobId }) => expect.objectContaining({ jobId }))

    expect((await askDeviceJobs(db, null, everything)).items).toEqual(inOrder)
    expect(await allPages(null, 1)).toEqual(inOrder)
  })

  it('finds rows that lie far apart', async () => {
    const job = await givenRunningJob(db, { devices: 400, chunkSize: 2 })
    await rows(
      db,
      sql`
      insert into device_jobs (week, job_key, device_id, chunk_no, status, attempt, updated_at, error_code, error_text)
      select c.week, c.job_key, c.device_ids[1], c.chunk_no, 'failed', 1, now(), 'ServerError', 'x'
        from chunks c
       where job_key = ${job.key} and chunk_no in (0, 90, 199)`,
    )

    expect(await allPages("error.code = 'ServerError'", 1)).toMatchObject(
      ['device-0000', 'device-0180', 'device-0398'].map((deviceId) => ({ deviceId })),
    )
  })

  it('Q13 searches answers that hold what the database has no text for', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const payload = { odd: '\u0000\u0000 and a half \ud800 pair', plain: 'found', backslash: '\\u0000' }
    const answer = {
      deviceId: 'device-0001',
      status: 'completed',
      response: jsonText({ status: 200, payload }),
    } as const
    await recordFirstAttempts(db, await claimed(db, job.key), [answer], noon)

    for (const said of [
      "plain = 'found'",
      "odd = '\\uFFFD\\uFFFD and a half \\uFFFD pair'",
      "backslash = '\\\\u0000'",
    ]) {
      const where = whereOf('devices.jobs', `outcome.deviceMethodResponse.payload.${said}`)
      expect((await askDeviceJobs(db, where, everything)).items).toMatchObject([{ deviceId: 'device-0001' }])
    }
  })

  it('Q31 has pages of 4 MiB, and each row once, however large the answers are', async () => {
    const job = await givenRunningJob(db, { devices: 100, chunkSize: 10 })
    // Compressed in the table, and with escapes that no text of the database can hold.
    const payload = `\u0000${'x'.repeat(100_000)}`
    await rows(
      db,
      sql`
      insert into device_jobs (week, job_key, device_id, chunk_no, status, attempt, updated_at, response)
      select c.week, c.job_key, device_id, c.chunk_no, 'completed', 1, now(), ${JSON.stringify({ status: 200, payload })}
        from chunks c, unnest(device_ids) as device_id
       where job_key = ${job.key}`,
    )

    const pages = await askPages(db, 'SELECT * FROM devices.jobs', 1000)

    expect(pages.map(({ length }) => length)).toEqual([42, 42, 16])
    expect(pages.flat().map(({ deviceId }) => deviceId)).toEqual(deviceNames(100))
    expect(pages.flat().every(({ outcome }) => JSON.stringify(outcome).includes('\\u0000x'))).toBe(true)
  })

  it('refuses a position that no page gave', async () => {
    await expect(askDeviceJobs(db, null, { limit: 10, after: 'elsewhere' })).rejects.toMatchObject({
      code: 'ArgumentInvalid',
    })
  })
})

const twoMembers = { error: { code: 'ArgumentInvalid' }, outcome: { deviceMethodResponse: { status: 500 } } }

/** Device jobs of every status: completed, failed, completed, running; completed, completed, completed, canceled; pending. */
async function givenMixedJobs(): Promise<void> {
  const methods = await givenJob(db, { jobId: 'mixed-1', devices: deviceNames(4) })
  await start(db, methods.key, { chunkSize: 2 })
  const first = await claimed(db, methods.key)
  await recordFirstAttempts(
    db,
    first,
    [
      { deviceId: 'device-0000', status: 'completed', response: jsonText({ status: 200, payload: { text: 'plain' } }) },
      { deviceId: 'device-0001', status: 'failed', error: { code: 'GatewayTimeout', description: 'no answer' } },
    ],
    on('12:00:09'),
  )
  await recordFirstAttempts(
    db,
    await claimed(db, methods.key),
    [{ deviceId: 'device-0002', status: 'completed', response: jsonText({ status: 200, payload: null }) }],
    on('12:00:10'),
  )
  const twins = await givenJob(db, { jobId: 'mixed-2', devices: deviceNames(4), type: 'scheduleUpdateTwin' })
  await start(db, twins.key, { chunkSize: 3 })
  await execute(db, twins.key, () => [], on('12:00:11'))
  await cancelJob(db, twins.jobId, on('12:00:12'))

  const waiting = await givenJob(db, { jobId: 'mixed-3', devices: deviceNames(1), startTime: on('12:30:00') })
  await start(db, waiting.key, { now: on('12:30:00') })
}

async function waitFor(key: Parameters<typeof claimed>[1]): Promise<void> {
  const claim = await claimed(db, key)
  await recordFirstAttempts(
    db,
    claim,
    claim.deviceIds.map((deviceId) => ({ deviceId, status: 'pending', dueAt: null })),
    noon,
  )
}

async function shownRows(condition?: string) {
  const where = condition === undefined ? null : whereOf('devices.jobs', condition)
  const { items } = await askDeviceJobs(db, where, everything)
  return items.map((row) => [row.status, String(row.lastUpdatedDateTimeUtc).slice(11, 19), row.outcome, row.error])
}

async function allPages(condition: string | null, limit: number): Promise<JsonObject[]> {
  const where = condition === null ? null : whereOf('devices.jobs', condition)
  const items: JsonObject[] = []
  let after: string | null = null
  do {
    const page = await askDeviceJobs(db, where, { limit, after })
    items.push(...page.items)
    after = page.continuation
  } while (after !== null)
  return items
}
