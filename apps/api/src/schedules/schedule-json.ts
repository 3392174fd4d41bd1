import { z } from '@hono/zod-openapi'
import {
  formatInstant,
  type JobTemplate,
  type JsonObject,
  type JsonText,
  type RunTimes,
  runTimesAfter,
  type Vocabulary,
  withTexts,
} from '@muster/contract'
import { operationOf } from '@muster/operations'
import type { Schedule } from '@muster/store'
import { scheduleBodySchema } from './schedule-body.ts'

const time = z.string().openapi({ format: 'date-time' })
const count = z.int().min(0)

export const scheduleSchema = scheduleBodySchema
  .extend({
    id: z.string(),
    createdTime: time,
    updatedTime: time,
    updatedBy: z.string().optional().openapi({ description: 'The account that put it last' }),
    nextRunTimes: time.array().openapi({ description: 'The next five; fewer when it ends' }),
    waitingTime: time.optional().openapi({ description: 'Of a run that waits for the end of the run before' }),
    runCount: count.openapi({ description: 'Jobs that it has made' }),
    skippedCount: count.openapi({ description: 'Times without a job, because the run before had not ended' }),
    missedCount: count.openapi({ description: 'Times that passed while no dispatcher was there' }),
    lastRunTime: time.optional(),
    lastJobId: z.string().optional(),
    lastSkippedTime: time.optional(),
    lastMissedTime: time.optional(),
  })
  .openapi('Schedule')

/** How many of its next times a schedule shows. */
const shownRuns = 5

/** A schedule as reads show it. What of it can be put has the names that it was put by. */
export function scheduleJson(schedule: Schedule, vocabulary: Vocabulary): JsonText {
  const { scheduleId, times, overlap, catchUp, maxRuns, createdTime, updatedTime, actor } = schedule
  const members = {
    id: scheduleId,
    ...timesJson(times),
    overlap,
    catchUp,
    ...(maxRuns === null ? {} : { maxRuns }),
    createdTime: formatInstant(createdTime),
    updatedTime: formatInstant(updatedTime),
    ...(actor === null ? {} : { updatedBy: actor }),
    ...stateJson(schedule),
  }
  return withTexts(members, { job: templateJson(schedule.job, vocabulary) })
}

function timesJson({ rhythm, startAt, endAt }: RunTimes): JsonObject {
  return {
    ...(rhythm.kind === 'cron' ? { cron: rhythm.cron, timeZone: rhythm.timeZone } : { every: rhythm.seconds }),
    ...timeMember('startAt', startAt),
    ...timeMember('endAt', endAt),
  }
}

function stateJson(schedule: Schedule): JsonObject {
  const { runCount, skippedCount, missedCount, lastJobId } = schedule
  return {
    nextRunTimes: nextTimesOf(schedule).map(formatInstant),
    ...timeMember('waitingTime', schedule.waitingTime),
    runCount,
    skippedCount,
    missedCount,
    ...timeMember('lastRunTime', schedule.lastRunTime),
    ...(lastJobId === null ? {} : { lastJobId }),
    ...timeMember('lastSkippedTime', schedule.lastSkippedTime),
    ...timeMember('lastMissedTime', schedule.lastMissedTime),
  }
}

function nextTimesOf({ times, nextTime, maxRuns, runCount, waitingTime }: Schedule): readonly Date[] {
  if (nextTime === null) return []
  const left = maxRuns === null ? shownRuns : maxRuns - runCount - (waitingTime === null ? 0 : 1)
  return [nextTime, ...runTimesAfter(times, nextTime, Math.min(shownRuns, left) - 1)]
}

function templateJson(job: JobTemplate, vocabulary: Vocabulary): JsonText {
  const { type, target, maxExecutionTimeInSeconds, body, extensions } = job
  const operation = operationOf(type)
  const members = {
    type: vocabulary.type[type],
    ...(target.kind === 'condition' ? { queryCondition: target.queryCondition } : { deviceIds: [...target.deviceIds] }),
    maxExecutionTimeInSeconds,
    ...(vocabulary.showsExtensions ? extensions : {}),
  }
  return withTexts(members, { [operation.member]: operation.bodyText(body) })
}

function timeMember(name: string, value: Date | null): JsonObject {
  return value === null ? {} : { [name]: formatInstant(value) }
}
