import { signSasToken } from '@muster/auth'
import { cancelJob } from '@muster/store'
import { eventually, readEvents } from '@muster/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Api, hostName, noon, openApi } from '../api.ts'
import { givenDevices } from '../given-devices.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'
import { askFor, listenTo, putJob } from './listen-to.ts'
import { runNextChunk } from './run-job.ts'

let api: Api
beforeEach(async () => {
  api = await openApi()
})
afterEach(() => api[Symbol.asyncDispose]())

const counts = (succeededCount: number, pendingCount: number) => ({
  deviceCount: 6,
  succeededCount,
  failedCount: 0,
  runningCount: 0,
  pendingCount,
  canceledCount: 0,
})

describe('E3 who listens to a job', () => {
  it('hears all of it from its creation to its end, with statistics as they change, and then the stream ends', async () => {
    await givenDevices(api, 6)
    const { key } = await givenStartedJob(api, 'whole', '*')
    await using stream = await listenTo(api, '/jobs/v2/whole/events')

    const before = await stream.until('statistics')
    await runNextChunk(api, key)
    const meanwhile = await stream.until('statistics')
    await runNextChunk(api, key)
    const after = await stream.rest()

    const common = { jobId: 'whole', type: 'scheduleDeviceMethod', time: noon.toISOString(), clientAddress: null }
    const told = [...before, ...meanwhile, ...after].map(({ event, data }) => ({ event, ...data }))
    expect(told).toMatchObject([
      { ...common, event: 'created', kind: 'created', actor: 'policy:iothubowner' },
      { ...common, event: 'started', kind: 'started', actor: null, deviceCount: 6 },
      { event: 'statistics', jobId: 'whole', status: 'running', deviceJobStatistics: counts(0, 6) },
      { event: 'statistics', jobId: 'whole', status: 'running', deviceJobStatistics: counts(3, 3) },
      {
        ...common,
        event: 'ended',
        kind: 'ended',
        status: 'completed',
        deviceCount: 6,
        deviceJobStatistics: counts(6, 0),
      },
      { event: 'statistics', jobId: 'whole', status: 'completed', deviceJobStatistics: counts(6, 0) },
    ])
    expect(before.map(({ id }) => id)).toEqual([api.eventIds.of(1), api.eventIds.of(2), null])
  })

  it('hears its end at once if it has ended, and 204 when it comes again', async () => {
    await putJob(api, 'over')
    await cancelJob(api.db, 'over', noon)
    await using stream = await listenTo(api, '/jobs/v2/over/events')

    const told = await stream.rest()
    const again = await askFor(api, '/jobs/v2/over/events', { lastEventId: told.at(-1)?.id ?? '' })
    const fromTheFirst = await listenTo(api, '/jobs/v2/over/events', { lastEventId: told[0]?.id ?? '' })

    expect(told.map(({ event }) => event)).toEqual(['created', 'cancelled'])
    expect(told[1]?.data).toMatchObject({ status: 'cancelled' })
    expect([again.status, await again.text()]).toEqual([204, ''])
    expect(await fromTheFirst.rest()).toEqual(told.slice(1))
  })

  it('hears the statistics of devices that were in flight at the cancel, until none is', async () => {
    await givenDevices(api, 6)
    const { key } = await givenStartedJob(api, 'flying', '*')
    await api.db.execute(`update chunks set running = 3, status = 'attempted' where chunk_no = 0`)
    await cancelJob(api.db, 'flying', noon)
    await using stream = await listenTo(api, '/jobs/v2/flying/events')

    const first = await stream.until('statistics')
    const lastEventId = first.find(({ event }) => event === 'cancelled')?.id ?? ''
    await using again = await listenTo(api, '/jobs/v2/flying/events', { lastEventId })
    await api.db.execute(`update chunks set running = 0, failed = 3 where chunk_no = 0 and job_key = ${key}`)
    const last = await stream.rest()

    expect(first.at(-1)?.data).toMatchObject({ deviceJobStatistics: { runningCount: 3, canceledCount: 3 } })
    expect(last.map(({ data }) => data)).toMatchObject([{ deviceJobStatistics: { runningCount: 0, failedCount: 3 } }])
    expect((await again.rest()).at(-1)).toEqual(last[0])
  })

  it('hears nothing of other jobs', async () => {
    await putJob(api, 'mine')
    await using stream = await listenTo(api, '/jobs/v2/mine/events')
    await putJob(api, 'other')
    await cancelJob(api.db, 'mine', noon)

    expect((await stream.rest()).map(({ data }) => data.jobId)).toEqual(['mine', 'mine'])
  })

  it('is refused for a job that is not there', async () => {
    const { status, headers } = await askFor(api, '/jobs/v2/nowhere/events')

    expect([status, headers.get('iothub-errorcode')]).toEqual([404, 'JobNotFound'])
  })
})

describe('E4 who listens to all jobs', () => {
  it('hears what happens from now on, and the statistics of those that run', async () => {
    await givenDevices(api, 3)
    const { key } = await givenStartedJob(api, 'before', '*')
    await using stream = await listenTo(api, '/jobs/v2/events')

    const present = await stream.until('statistics')
    await putJob(api, 'new')
    const created = await stream.until('created')
    await runNextChunk(api, key)
    const ended = await stream.until('statistics')

    expect(present.map(({ event, data }) => `${data.jobId} ${event} ${data.status}`)).toEqual([
      'undefined opened undefined',
      'before statistics running',
    ])
    expect(created.map(({ data }) => data.jobId)).toEqual(['new'])
    expect(ended.map(({ event, data }) => `${data.jobId} ${event} ${data.status}`)).toEqual([
      'before ended completed',
      'before statistics completed',
    ])
  })

  it('hears the first event after the answer, also if the connection is lost before it', async () => {
    const before = await askFor(api, '/jobs/v2/events')
    await putJob(api, 'first')
    await putJob(api, 'second')
    await using stream = readEvents(before)
    const opened = await stream.next()
    await using again = await listenTo(api, '/jobs/v2/events', { lastEventId: opened?.id ?? '' })

    expect(opened).toEqual({ event: 'opened', id: api.eventIds.of(0), data: {} })
    for (const each of [stream, again]) {
      expect([await each.next(), await each.next()].map((message) => message?.data.jobId)).toEqual(['first', 'second'])
    }
  })

  it('hears the last statistics of a job that has begun and ended between two readings', async () => {
    await using stream = await listenTo(api, '/jobs/v2/events')
    await putJob(api, 'mark')
    await stream.until('created')
    await givenDevices(api, 3)
    const { key } = await givenStartedJob(api, 'brief', '*')
    await runNextChunk(api, key)

    const told = await stream.until('ended')

    expect(told.map(({ data }) => data.jobId)).not.toContain('mark')
    expect((await stream.until('statistics')).at(-1)?.data).toMatchObject({ jobId: 'brief', status: 'completed' })
  })
})

describe('E5 who comes back with the last event', () => {
  it('hears all that came after it, each once and in order, of more pages than one', async () => {
    await putJob(api, 'long')
    await using first = await listenTo(api, '/jobs/v2/events', { lastEventId: api.eventIds.of(1) })
    await addEvents(1_200)

    const seen = []
    for (let count = 0; count < 700; count += 1) seen.push(await first.next())
    await using second = await listenTo(api, '/jobs/v2/events', { lastEventId: seen.at(-1)?.id ?? '' })
    for (let count = 0; count < 500; count += 1) seen.push(await second.next())

    expect(seen.map((message) => message?.id)).toEqual(
      Array.from({ length: 1_200 }, (_, no) => api.eventIds.of(no + 2)),
    )
  })
})

it('E6 who comes back with an id of another hub, one that none has given yet, or a text that is none, is told so', async () => {
  await putJob(api, 'here')
  const messageOf = async (lastEventId: string) => {
    const response = await askFor(api, '/jobs/v2/here/events', { lastEventId })
    const { Message } = JSON.parse(await response.text())
    return `${response.status} ${Message}`
  }

  expect(await messageOf('12345678-1')).toMatch(
    /^400 ErrorCode:ArgumentInvalid;Last-Event-ID must be the eventId of an event of this hub, such as [0-9a-f]{8}-1, got "12345678-1"/,
  )
  expect(await messageOf(api.eventIds.of(2))).toMatch(
    /^400 ErrorCode:ArgumentInvalid;Last-Event-ID ".{8}-2" lies ahead of the events of this hub, the last is .{8}-1/,
  )
  for (const text of ['1', `${api.eventIds.of(1)}0000000000000000`, "' or true --", `${'x'.repeat(5_000)}`]) {
    expect(await messageOf(text)).toMatch(/must be the eventId of an event of this hub/)
  }
})

describe('E7 a reader that lags', () => {
  it('is dropped with the reason when a thousand messages wait, and lacks nothing when it comes back', async () => {
    await putJob(api, 'busy')
    const ends: string[] = []
    api.events.on('eventStreamEnded', ({ reason }) => ends.push(reason))
    await using stream = await listenTo(api, '/jobs/v2/events')
    await using witness = await listenTo(api, '/jobs/v2/events')
    await putJob(api, 'live')
    const first = await stream.next()
    await witness.until('created')

    await addEvents(1_010)
    await eventually(() => expect(ends).toContain('slow'))
    const left = await stream.rest()
    const lastEventId = left.findLast(({ id }) => id !== null)?.id ?? first?.id ?? ''
    await using back = await listenTo(api, '/jobs/v2/events', { lastEventId })

    expect(left.at(-1)).toMatchObject({
      event: 'dropped',
      data: { reason: expect.stringMatching(/^Too much was waiting/) },
    })
    expect((await back.next())?.id).toBe(api.eventIds.of(Number(lastEventId.split('-')[1]) + 1))
  })
})

describe('E8 a stream ends', () => {
  it.each([
    ['with its token', 600_000, 900_000],
    ['after an hour, however long its token counts', 7_200_000, 3_600_000],
  ])('%s', async (_, tokenMs, endMs) => {
    await putJob(api, 'short')
    const owner = api.policies.find(({ name }) => name === 'iothubowner')
    const authorization = signSasToken({
      resource: hostName,
      key: owner?.primaryKey ?? '',
      policyName: 'iothubowner',
      expiresAt: new Date(noon.getTime() + tokenMs),
    })
    await using stream = await listenTo(api, '/jobs/v2/events', { authorization, lastEventId: api.eventIds.of(1) })

    // A token counts for five minutes more than it says.
    api.clock.time = new Date(noon.getTime() + endMs - 1)
    await putJob(api, 'in-time')
    await stream.until('created')
    api.clock.time = new Date(noon.getTime() + endMs)

    expect(await stream.rest()).toMatchObject([
      { event: 'dropped', data: { reason: expect.stringMatching(/^The token has expired/) } },
    ])
  })

  it('with the process, which takes no other one then', async () => {
    await putJob(api, 'stopped')
    await using stream = await listenTo(api, '/jobs/v2/stopped/events')
    await stream.until('created')

    api.feed.close()

    expect(await stream.rest()).toEqual([])
    const { status, headers } = await askFor(api, '/jobs/v2/stopped/events')
    expect([status, headers.get('retry-after')]).toEqual([503, '2'])
  })

  it('with its reader, and then nothing is read any more', async () => {
    await putJob(api, 'left')
    const stream = await listenTo(api, '/jobs/v2/left/events')
    await stream.until('created')
    const ended = new Promise((resolve) => api.events.on('eventStreamEnded', resolve))

    await stream[Symbol.asyncDispose]()

    expect(await ended).toMatchObject({ reason: 'left' })
  })

  it('before it begins, for HEAD', async () => {
    const opened: unknown[] = []
    api.events.on('eventStreamOpened', (fields) => opened.push(fields))

    const { status, headers } = await api.send('HEAD', '/jobs/v2/events')

    expect([status, headers.get('content-type'), opened]).toEqual([200, 'text/event-stream; charset=utf-8', []])
  })
})

it('E10 to listen, to read a history and to open a session uses up no other rate, and no other uses up theirs', async () => {
  await using own = await openApi({ throttle: '{"jobEvents":"4/min","jobOperations":"2/min"}' })
  await putJob(own, 'rated')
  const statusOf = async (method: string, path: string) => (await own.send(method, path)).status

  const events = []
  for (const [method, path] of [
    ['GET', '/jobs/v2/events'],
    ['GET', '/jobs/v2/rated/events'],
    ['GET', '/jobs/v2/rated/history'],
    ['POST', '/sessions'],
    ['GET', '/jobs/v2/events'],
  ] as const) {
    events.push(await statusOf(method, path))
  }

  expect(events).toEqual([200, 200, 200, 200, 429])
  expect([await statusOf('GET', '/jobs/v2/rated'), await statusOf('GET', '/jobs/v2/rated')]).toEqual([200, 429])
})

/** Events of the first job, faster than any job has them. */
async function addEvents(count: number): Promise<void> {
  await api.db.execute(
    `insert into job_events (job_key, kind, at)
     select min(job_key), 'started', now() from jobs, generate_series(1, ${count}) as n group by n`,
  )
}
