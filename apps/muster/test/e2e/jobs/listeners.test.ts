import { type EventReader, eventually, readEvents, type StreamMessage } from '@muster/testkit'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { ending, putJob } from '../../jobs.ts'
import { startApiProcess } from '../../role-process.ts'
import { openWay, type Way } from '../../way.ts'

let hub: TestHub
let way: Way
beforeAll(async () => {
  hub = await startHub({
    reach: async ({ port }) => {
      way = await openWay(Number(port))
      return way.port
    },
  })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await way[Symbol.asyncDispose]()
})

async function listen(httpPort: number, path: string, lastEventId?: string): Promise<EventReader> {
  const response = await fetch(`http://127.0.0.1:${httpPort}${path}?api-version=2021-04-12`, {
    headers: { authorization: hub.token, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
  })
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}`)
  return readEvents(response)
}

/** A job without devices: created, started, ended. */
const putBriefJob = (jobId: string) =>
  putJob(hub, jobId, {
    type: 'scheduleUpdateTwin',
    queryCondition: "tags.site = 'nowhere'",
    updateTwin: { etag: '*', tags: { seen: true } },
  })

it('E5 E8 a listener that loses its process goes on at another one, without a gap and without a double', async () => {
  await using first = await startApiProcess(hub)
  await using second = await startApiProcess(hub)
  const jobIds: string[] = []
  let left = 15
  let isKilled = false
  const seen: StreamMessage[] = []
  const read = async (stream: EventReader, until: (message: StreamMessage) => boolean) => {
    for (let message = await stream.next(); message !== null; message = await stream.next()) {
      if (message.id !== null && message.event !== 'opened') seen.push(message)
      if (until(message)) return
    }
  }
  const stream = await listen(first.ports.http, '/jobs/v2/events')
  const creating = (async () => {
    // All the time, and after the loss, too.
    while (left > 0) {
      const jobId = `lost-${jobIds.length}`
      await putBriefJob(jobId)
      jobIds.push(jobId)
      if (isKilled) left -= 1
    }
  })()

  await read(stream, ({ event, data }) => event === 'ended' && data.jobId === 'lost-3')
  first.signal('SIGKILL')
  isKilled = true
  // What has come already is read, and then the loss.
  await read(stream, () => false).catch(() => {})
  await creating
  await Promise.all(jobIds.map((jobId) => ending(hub, jobId)))
  const after = await listen(second.ports.http, '/jobs/v2/events', seen.at(-1)?.id ?? '')
  const expected = await eventsSince(seen[0])
  await read(after, ({ id }) => id === expected.at(-1))
  second.signal('SIGTERM')

  expect(seen.map(({ id }) => id)).toEqual(expected)
  expect(
    seen
      .filter(({ event }) => event === 'ended')
      .map(({ data }) => data.jobId)
      .toSorted(),
  ).toEqual(jobIds.toSorted())
  await read(after, () => false)
  expect(await second.ended).toBe(0)
})

it('E9 a stream stays open while Postgres is away, and goes on without a gap when it is back', async () => {
  const failed = new Promise((resolve) => hub.running.hub.events.on('jobFeedFailed', resolve))
  await using stream = await listen(hub.httpPort, '/jobs/v2/events')
  await putBriefJob('before')
  const [, ...before] = await stream.until('ended')

  await way.close()
  await failed
  await way.open()
  await eventually(() => putBriefJob('after'), { timeoutMs: 30_000 })
  const after = await stream.until('ended')

  const ids = [...before, ...after].flatMap(({ id }) => (id === null ? [] : [id]))
  expect(ids).toEqual(await eventsSince(before[0]))
})

/** The ids of all events of the hub from this one on. */
async function eventsSince(message: StreamMessage | undefined): Promise<string[]> {
  const [prefix = '', no = ''] = message?.id?.split('-') ?? []
  const sql = postgres(hub.environment.DATABASE_URL ?? '', { max: 1, onnotice: () => {} })
  const found = await sql<{ event_no: string }[]>`
    select event_no from job_events where event_no >= ${no} order by event_no`
  await sql.end()
  return found.map(({ event_no }) => `${prefix}-${event_no}`)
}
