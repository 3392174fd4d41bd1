import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import { isDay } from './instant.ts'
import { type JobStatus, type JobType, jobStatuses, jobTypes } from './job.ts'

/**
 * The spelling of jobs on the wire. Two vocabularies exist: one for the 2016 previews and one for every later version. Every
 * version understands all spellings. The version decides only the spelling of answers.
 */
export interface Vocabulary {
  readonly type: Record<JobType, string>
  readonly status: Record<JobStatus, string>
  /** The 2016 documents show no reply of PUT and leave `updateTwin.etag` out; later ones fix both. */
  readonly putReply: 'job' | 'short'
  readonly isEtagRequired: boolean
  /** Whether reads show what this hub adds to the wire. */
  readonly showsExtensions: boolean
}

const later: Vocabulary = {
  type: { scheduleUpdateTwin: 'scheduleUpdateTwin', scheduleDeviceMethod: 'scheduleDeviceMethod' },
  status: {
    queued: 'queued',
    scheduled: 'scheduled',
    running: 'running',
    completed: 'completed',
    failed: 'failed',
    cancelled: 'cancelled',
  },
  putReply: 'short',
  isEtagRequired: true,
  showsExtensions: true,
}

const of2016: Vocabulary = {
  type: { scheduleUpdateTwin: 'scheduledUpdateTwin', scheduleDeviceMethod: 'scheduledDeviceMethod' },
  status: { ...later.status, queued: 'pending', cancelled: 'canceled' },
  putReply: 'job',
  isEtagRequired: false,
  showsExtensions: false,
}

const versions2016 = ['2016-09-30-preview', '2016-11-14']
const versionPattern = /^\d{4}-\d{2}-\d{2}(-preview)?$/

/**
 * The vocabulary of an `api-version`. Versions are dates; any from 2016-09-30-preview on is accepted.
 * @throws HubError InvalidProtocolVersion when it is missing, no date, or older.
 */
export function vocabularyOf(apiVersion: string | undefined): Vocabulary {
  if (apiVersion === undefined) {
    throw new HubError('InvalidProtocolVersion', {
      message: 'api-version is missing; expected a date such as 2021-04-12 as a query parameter',
    })
  }
  const isDate = versionPattern.test(apiVersion) && isDay(apiVersion.slice(0, 10))
  if (!isDate || apiVersion < '2016-09-30') {
    throw new HubError('InvalidProtocolVersion', {
      message: `api-version "${clip(apiVersion)}" is not known; expected a date from 2016-09-30-preview on, such as 2021-04-12`,
    })
  }
  return versions2016.includes(apiVersion) ? of2016 : later
}

const typeSpellings: Record<JobType, readonly string[]> = {
  scheduleUpdateTwin: ['scheduleUpdateTwin', 'scheduledUpdateTwin', 'scheduleTwinUpdate'],
  scheduleDeviceMethod: [
    'scheduleDeviceMethod',
    'scheduledDeviceMethod',
    'scheduleDirectRequest',
    'scheduleDirectMethod',
  ],
}

const statusSpellings: Record<JobStatus, readonly string[]> = {
  queued: ['queued', 'enqueued', 'pending'],
  scheduled: ['scheduled'],
  running: ['running'],
  completed: ['completed', 'finished'],
  failed: ['failed'],
  cancelled: ['cancelled', 'canceled'],
}

/** Any spelling of a job type, in any letter case. Null when it is none. */
export function parseJobType(text: string): JobType | null {
  return jobTypes.find((type) => matches(typeSpellings[type], text)) ?? null
}

/** Any spelling of a job status, in any letter case. Null when it is none. */
export function parseJobStatus(text: string): JobStatus | null {
  return jobStatuses.find((status) => matches(statusSpellings[status], text)) ?? null
}

/** Job types that clients know and this hub never has: jobs of other services. */
const foreignTypes = [
  'unknown',
  'export',
  'import',
  'backup',
  'readDeviceProperties',
  'writeDeviceProperties',
  'updateDeviceConfiguration',
  'rebootDevice',
  'factoryResetDevice',
  'firmwareUpdate',
  'restoreFromBackup',
  'failoverDataCopy',
]

/** Whether clients know this type, in any letter case, and no job of this hub has it. */
export function isForeignJobType(text: string): boolean {
  return matches(foreignTypes, text)
}

/** The same for a status: that of an import or export job at the address of another one. */
export function isForeignJobStatus(text: string): boolean {
  return matches(['unknown'], text)
}

/** For messages, with the spelling of today's clients first. */
export const knownJobTypes: readonly string[] = jobTypes.flatMap((type) => typeSpellings[type])

function matches(spellings: readonly string[], text: string): boolean {
  return spellings.some((spelling) => spelling.toLowerCase() === text.toLowerCase())
}
