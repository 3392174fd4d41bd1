import { formatInstant, type Job, type JsonObject, parseJobType, type Vocabulary } from '@muster/contract'
import { operationOf } from '@muster/operations'

/** A job as reads show it. Missing members are left out, because some clients refuse null. */
export function jobJson(job: Job, vocabulary: Vocabulary): JsonObject {
  return {
    jobId: job.jobId,
    type: vocabulary.type[job.type],
    status: vocabulary.status[job.status],
    createdTime: formatInstant(job.createdTime),
    startTime: formatInstant(job.startTime),
    ...(job.endTime === null ? {} : { endTime: formatInstant(job.endTime) }),
    maxExecutionTimeInSeconds: job.maxExecutionTimeInSeconds,
    queryCondition: job.queryCondition,
    [operationOf(job.type).member]: job.body,
    ...(job.failureReason === null ? {} : { failureReason: job.failureReason }),
    ...(job.statistics === null ? {} : { deviceJobStatistics: { ...job.statistics } }),
  }
}

/** The reply of PUT. */
export function createdJobJson(job: Job, vocabulary: Vocabulary): JsonObject {
  if (vocabulary.putReply === 'job') return jobJson(job, vocabulary)
  return { jobId: job.jobId, type: vocabulary.type[job.type], status: vocabulary.status[job.status] }
}

/** A row of a device job. Every version spells its statuses alike. */
export function deviceJobJson(row: JsonObject, vocabulary: Vocabulary): JsonObject {
  const type = parseJobType(String(row.jobType))
  return type === null ? row : { ...row, jobType: vocabulary.type[type] }
}
