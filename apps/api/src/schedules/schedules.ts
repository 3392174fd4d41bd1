import { HubError, limits } from '@muster/contract'
import { deleteSchedule, listSchedules, putSchedule, readSchedule, type Schedule } from '@muster/store'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { type Paging, pageHeaders, pageQuery } from '../http/paging.ts'
import { jsonTextReply } from '../http/reply.ts'
import { parseScheduleBody, parseScheduleId, scheduleBodySchema } from './schedule-body.ts'
import { scheduleJson, scheduleSchema } from './schedule-json.ts'

export function scheduleRoutes({ db, clock }: Pick<Deps, 'db' | 'clock'>, paging: Paging): readonly Endpoint[] {
  const query = 'schedules'

  return [
    {
      method: 'get',
      path: '/schedules',
      operationId: 'listSchedules',
      summary: 'List schedules, by their ids',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      query: pageQuery,
      headers: pageHeaders,
      reply: scheduleSchema.array(),
      async handle(c) {
        const write = (schedule: Schedule) => scheduleJson(schedule, c.get('vocabulary'))
        return paging.reply('Schedule', query, await listSchedules(db, { ...paging.read(c, query), write }))
      },
    },
    {
      method: 'put',
      path: '/schedules/{scheduleId}',
      operationId: 'putSchedule',
      summary: 'Add a schedule, or replace it. Jobs that it has made stay as they are',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: { body: exampleBody },
      body: scheduleBodySchema,
      reply: scheduleSchema,
      async handle(c) {
        const vocabulary = c.get('vocabulary')
        const now = clock.now()
        const draft = parseScheduleBody(readScheduleId(c), readDocument(c), { vocabulary, now })
        const put = await putSchedule(db, draft, c.get('account'), now)
        if (put.kind === 'full') throw full()
        if (put.kind === 'never') throw never(draft.times.endAt !== null)
        return jsonTextReply(200, scheduleJson(put.schedule, vocabulary))
      },
    },
    {
      method: 'get',
      path: '/schedules/{scheduleId}',
      operationId: 'getSchedule',
      summary: 'Read a schedule, with its next runs and what became of the last',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: scheduleSchema,
      async handle(c) {
        const scheduleId = readScheduleId(c)
        const schedule = await readSchedule(db, scheduleId)
        if (schedule === null) throw notFound(scheduleId)
        return jsonTextReply(200, scheduleJson(schedule, c.get('vocabulary')))
      },
    },
    {
      method: 'delete',
      path: '/schedules/{scheduleId}',
      operationId: 'deleteSchedule',
      summary: 'Delete a schedule; the jobs that it has made go on',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: null,
      async handle(c) {
        const scheduleId = readScheduleId(c)
        if (!(await deleteSchedule(db, scheduleId))) throw notFound(scheduleId)
        return new Response(null, { status: 204 })
      },
    },
  ]
}

const exampleBody = {
  cron: '0 3 * * 1',
  timeZone: 'Europe/Berlin',
  overlap: 'skip',
  catchUp: 'last',
  job: {
    type: 'scheduleDeviceMethod',
    cloudToDeviceMethod: { methodName: 'reboot', payload: { delaySeconds: 5 }, responseTimeoutInSeconds: 30 },
    queryCondition: 'tags.building = 43',
    maxExecutionTimeInSeconds: 3600,
  },
}

/** @throws HubError ArgumentInvalid for a text that is no id */
function readScheduleId(c: ApiContext): string {
  return parseScheduleId(c.req.param('scheduleId') ?? '')
}

function full(): HubError {
  return new HubError('InvalidOperation', {
    message: `the hub has ${limits.schedules} schedules already, the most that it can have; delete one`,
  })
}

function never(hasEnd: boolean): HubError {
  return new HubError('ArgumentInvalid', {
    message: hasEnd
      ? 'endAt must lie after the first run; no time of the schedule comes from now on until then'
      : 'cron must come at some time; this one never does',
  })
}

function notFound(scheduleId: string): HubError {
  return new HubError('GenericNotFound', { message: `There is no schedule with the id ${scheduleId}` })
}
