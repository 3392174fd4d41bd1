import { jobChangeSchema, parseJobChange } from '@muster/contract'
import { changeJob, steerJob } from '@muster/store'
import { described } from '../http/described.ts'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { jobSchema } from '../http/schemas.ts'
import { askerOf } from './create-job.ts'
import { azureMembers } from './job-body.ts'
import { readJobId } from './jobs.ts'
import { replyOf } from './pause.ts'
import { wakeJob } from './wake-job.ts'

export function changeRoutes({ db, bus, clock, events }: Deps): readonly Endpoint[] {
  return [
    {
      method: 'patch',
      path: '/jobs/v2/{jobId}',
      operationId: 'changeJob',
      summary: 'Change the rate, the priority or the window of a job that has not ended; null takes a limit away',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: { body: { rollout: { maximumPerMinute: 600, maximumInFlight: null } } },
      body: described(jobChangeSchema),
      reply: jobSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const change = parseJobChange(readDocument(c).body, azureMembers)
        const asker = askerOf(c)
        const steered = await steerJob(db, jobId, (tx, key) => changeJob(tx, key, change, asker, clock.now()))
        if (steered.kind === 'steered' && steered.isChanged) await wakeJob({ bus, events }, steered.job)
        return replyOf(c, steered, 'changed')
      },
    },
  ]
}
