import { type EventIds, HubError, isTerminal, type Job } from '@muster/contract'
import { type Db, readEventPosition, readJob, readJobEvents } from '@muster/store'
import { type ApiContext, callerOf, type Deps, type Endpoint } from '../http/endpoint.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'
import type { JobFeed } from './feed.ts'
import type { ListenRequest } from './listener.ts'
import { isFinal } from './statistics.ts'

/** Answers that go on, and tell what happens to jobs as server-sent events. */
export function streamRoutes(
  { db }: Deps,
  { feed, eventIds }: { readonly feed: JobFeed; readonly eventIds: EventIds },
): readonly Endpoint[] {
  const common = {
    method: 'get',
    permission: 'ServiceConnect',
    throttle: 'jobEvents',
    headers: { 'Last-Event-ID': 'The last event that the listener has' },
    reply: null,
    replyType: 'text/event-stream',
  } as const

  return [
    {
      ...common,
      path: '/jobs/v2/events',
      operationId: 'listenToJobs',
      summary: 'Listen to the events of all jobs, from now on',
      async handle(c) {
        const { no, last } = await readLastEvent(c, db, eventIds)
        return stream(c, feed, { jobKey: null, jobId: null, after: no ?? last, isNew: no === null, hasEnd: false })
      },
    },
    {
      ...common,
      path: '/jobs/v2/{jobId}/events',
      operationId: 'listenToJob',
      summary: 'Listen to the events of a job, from its first one on',
      async handle(c) {
        const jobId = readJobId(c)
        const job = await readJob(db, jobId)
        if (job === null) throw jobNotFound(jobId)
        const { no } = await readLastEvent(c, db, eventIds)
        const hasEnd = no !== null && isTerminal(job.status) && (await hasAll(db, job, no))
        const { status, statistics } = job
        // A browser takes this for the end, and does not connect again.
        if (hasEnd && (statistics === null || isFinal({ status, statistics })))
          return new Response(null, { status: 204 })
        return stream(c, feed, { jobKey: job.key, jobId, after: no ?? 0, isNew: false, hasEnd })
      },
    },
  ]
}

/** The number of the last event that the listener has, null if none, and the last one that is there. @throws HubError ArgumentInvalid */
async function readLastEvent(
  c: ApiContext,
  db: Db,
  eventIds: EventIds,
): Promise<{ readonly no: number | null; readonly last: number }> {
  const text = c.req.header('last-event-id') ?? ''
  const no = text === '' ? null : eventIds.parse('Last-Event-ID', text)
  const { last, given } = await readEventPosition(db)
  if (no === null || no <= given) return { no, last }
  throw new HubError('ArgumentInvalid', {
    message: `Last-Event-ID "${text}" lies ahead of the events of this hub, the last is ${eventIds.of(given)}; connect without Last-Event-ID`,
  })
}

async function hasAll(db: Db, { key }: Job, after: number): Promise<boolean> {
  return (await readJobEvents(db, { jobKey: key, after, limit: 1 })).length === 0
}

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // A proxy such as nginx would keep the events until it has many.
  'x-accel-buffering': 'no',
} as const

function stream(
  c: ApiContext,
  feed: JobFeed,
  request: Omit<ListenRequest, 'expiresAtMs' | 'caller' | 'cut'>,
): Response {
  // Hono answers it by the handler of GET, and leaves the body alone.
  if (c.req.method === 'HEAD') return new Response(null, { headers })
  const { expiresAtMs } = c.get('access')
  return new Response(feed.listen({ ...request, expiresAtMs, caller: callerOf(c), cut: () => c.env?.cut?.() }), {
    headers,
  })
}
