import { type EventIds, eventJson } from '@muster/contract'
import { readJob, readJobEvents } from '@muster/store'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { type Paging, pageHeaders, pageQuery } from '../http/paging.ts'
import { jobEventSchema } from '../http/schemas.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'

/** Who did what to a job, and when. */
export function historyRoutes({ db }: Deps, paging: Paging, eventIds: EventIds): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/jobs/v2/{jobId}/history',
      operationId: 'getJobHistory',
      summary: 'List the events of a job, in their order',
      permission: 'ServiceConnect',
      throttle: 'jobEvents',
      query: pageQuery,
      headers: pageHeaders,
      reply: jobEventSchema.array(),
      async handle(c) {
        const jobId = readJobId(c)
        const job = await readJob(db, jobId)
        if (job === null) throw jobNotFound(jobId)
        // With the key: a token is not for another job that gets the same id later.
        const query = `history ${job.key}`
        const { limit, after } = paging.read(c, query)
        const found = await readJobEvents(db, { jobKey: job.key, after: Number(after ?? 0), limit: limit + 1 })
        const page = found.slice(0, limit)
        return paging.reply('JobEvent', query, {
          items: page.map((event) => JSON.stringify(eventJson(event, eventIds.of(event.no)))),
          continuation: found.length > limit ? String(page.at(-1)?.no) : null,
        })
      },
    },
  ]
}
