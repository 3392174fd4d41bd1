import {
  type DeviceJobStatistics,
  formatInstant,
  type Job,
  type JsonObject,
  type JsonText,
  parseJobType,
  type Vocabulary,
  withTexts,
} from '@muster/contract'
import { operationOf } from '@muster/operations'
import type { Relatives } from '@muster/store'

/** A job as reads show it. Missing members are left out, because some clients refuse null. */
export function jobJson(job: Job, vocabulary: Vocabulary, relatives: Relatives = alone): JsonText {
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
    ...(vocabulary.showsExtensions ? ownMembers(job, relatives) : {}),
    ...(job.failureReason === null ? {} : { failureReason: job.failureReason }),
    ...(job.statistics === null ? {} : { deviceJobStatistics: statisticsJson(job.statistics, vocabulary) }),
  }
  return withTexts(members, { [operation.member]: operation.bodyText(job.body) })
}

/** What this hub adds to the wire. */
function ownMembers(job: Job, relatives: Relatives): JsonObject {
  return {
    ...job.extensions,
    ...pauseJson(job.pause),
    ...relativesJson(relatives),
    ...(job.scheduleId === null ? {} : { scheduleId: job.scheduleId }),
  }
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

/** Of a job in a list, which does not tell. */
const alone: Relatives = { parentJobId: null, childJobIds: [] }

function relativesJson({ parentJobId, childJobIds }: Relatives): JsonObject {
  return {
    ...(parentJobId === null ? {} : { parentJobId }),
    ...(childJobIds.length === 0 ? {} : { childJobIds }),
  }
}

/** To a version that does not know skipped devices they are canceled, so that its equation holds. */
export function statisticsJson(statistics: DeviceJobStatistics, { showsExtensions }: Vocabulary): JsonObject {
  if (showsExtensions) return { ...statistics }
  const { skippedCount = 0, ...known } = statistics
  return { ...known, canceledCount: known.canceledCount + skippedCount }
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

/** A row of a device job. Every version spells its statuses alike; those of 2016 do not know skipped devices. */
export function deviceJobJson({ attempts, ...row }: JsonObject, vocabulary: Vocabulary): JsonObject {
  const type = parseJobType(String(row.jobType))
  const isUnknown = row.status === 'skipped' && !vocabulary.showsExtensions
  return {
    ...row,
    ...(type === null ? {} : { jobType: vocabulary.type[type] }),
    ...(isUnknown ? { status: 'canceled' } : {}),
    ...(attempts === undefined || !vocabulary.showsExtensions ? {} : { attempts }),
  }
}
