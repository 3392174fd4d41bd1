import { HubError } from '@muster/contract'
import { openNextStage, readStages } from '@muster/store'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { jsonReply } from '../http/reply.ts'
import { askerOf } from '../jobs/create-job.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'
import { stagesJson, stagesSchema } from './stage-json.ts'

/** The stages of a job, and the next one of them for who does not wait for its gate. */
export function stageRoutes({ db, bus, clock, events }: Deps): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/jobs/v2/{jobId}/stages',
      operationId: 'listJobStages',
      summary: 'List the stages of a job, each with its counts, and what the next one waits for',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: { reply: exampleStages },
      reply: stagesSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const stages = await readStages(db, jobId, clock.now())
        if (stages === null) throw jobNotFound(jobId)
        return jsonReply(200, stagesJson(stages))
      },
    },
    {
      method: 'post',
      path: '/jobs/v2/{jobId}/stages/next',
      operationId: 'openNextStage',
      summary:
        'Open the next stage of a running job now, whatever its gate says; if the gate has paused the job, it goes on',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: stagesSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const next = await openNextStage(db, jobId, askerOf(c), clock.now())
        if (next.kind === 'missing') throw jobNotFound(jobId)
        if (next.kind === 'refused') {
          throw new HubError('OperationNotAllowedInCurrentState', { message: `${next.reason}.` })
        }
        if (!next.isPaused && !(await bus.wakeChunks(next.key, next))) events.wakeUpLost({ kind: 'chunks' })
        return jsonReply(200, stagesJson((await readStages(db, jobId, clock.now())) ?? []))
      },
    },
  ]
}

const exampleStages = {
  items: [
    {
      stageNo: 0,
      status: 'open',
      openedTime: '2026-03-02T12:00:00.000Z',
      waitsFor: {
        kind: 'devices',
        text: '36 of 50 devices of stage 0 succeeded, 72.00 %, and 12 have not ended; the next stage needs 95 %',
      },
      deviceJobStatistics: {
        deviceCount: 50,
        succeededCount: 36,
        failedCount: 2,
        runningCount: 10,
        pendingCount: 2,
        canceledCount: 0,
      },
    },
    {
      stageNo: 1,
      status: 'waiting',
      deviceJobStatistics: {
        deviceCount: 950,
        succeededCount: 0,
        failedCount: 0,
        runningCount: 0,
        pendingCount: 950,
        canceledCount: 0,
      },
    },
  ],
}
