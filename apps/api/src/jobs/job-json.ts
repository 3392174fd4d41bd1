import {
  formatInstant,
  type Job,
  type JsonObject,
  type JsonText,
  parseJobType,
  type Vocabulary,
  withTexts,
} from '@muster/contract'
import { operationOf } from '@muster/operations'

/** A job as reads show it. Missing members are left out, because some clients refuse null. */
export function jobJson(job: Job, vocabulary: Vocabulary): JsonText {
  const operation = operationOf(job.type)
  const members = {
    jobId: job.jobId,
    type: vocabulary.type[job.type],
    status: vocabulary.status[job.status],
    createdTime: formatInstant(job.createdTime),
    startTime: formatInstant(job.startTime),
    ...(job.endTime === null ? {} : { endTime: formatInstant(job.endTime) }),
    maxExecutionTimeInSeconds: job.maxExecutionTimeInSeconds,
    queryCondition: job.queryCondition,
    ...(vocabulary.showsExtensions ? { ...job.extensions, ...pauseJson(job.pause) } : {}),
    ...(job.failureReason === null ? {} : { failureReason: job.failureReason }),
    ...(job.statistics === null ? {} : { deviceJobStatistics: { ...job.statistics } }),
  }
  return withTexts(members, { [operation.member]: operation.bodyText(job.body) })
}

function pauseJson(pause: Job['pause']): JsonObject {
  if (pause === null) return {}
  const { time, by, reason } = pause
  return {
    pausedTime: formatInstant(time),
    ...(by === null ? {} : { pausedBy: by }),
    ...(reason === null ? {} : { pauseReason: reason }),
  }
}

/** The reply of PUT. `warnings`: what was asked for that can never do anything. */
export function createdJobJson(job: Job, vocabulary: Vocabulary, warnings: readonly string[]): JsonText {
  if (vocabulary.putReply === 'job') return jobJson(job, vocabulary)
  const { jobId, type, status } = job
  return withTexts({
    jobId,
    type: vocabulary.type[type],
    status: vocabulary.status[status],
    ...(warnings.length === 0 ? {} : { warnings }),
  })
}

/** A row of a device job. Every version spells its statuses alike. */
export function deviceJobJson(row: JsonObject, vocabulary: Vocabulary): JsonObject {
  const type = parseJobType(String(row.jobType))
  return type === null ? row : { ...row, jobType: vocabulary.type[type] }
}
