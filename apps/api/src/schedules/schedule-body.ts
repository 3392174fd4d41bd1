import { z } from '@hono/zod-openapi'
import {
  clip,
  cronRule,
  HubError,
  isCron,
  isJsonObject,
  isTimeZone,
  type JobTemplate,
  type JsonObject,
  limits,
  parseExactly,
  parseInstant,
  parseJobId,
  runTimeAfter,
  type Vocabulary,
} from '@muster/contract'
import { catchUps, overlaps, type ScheduleDraft } from '@muster/store'
import type { readDocument } from '../http/json-body.ts'
import { jobBodySchema, parseJobBody } from '../jobs/job-body.ts'

const zoneRule = 'the name of a time zone, such as Europe/Berlin'

const exactSchema = z.object({
  cron: z.string().max(200).refine(isCron, cronRule).exactOptional(),
  every: z.int().min(limits.scheduleEverySecondsMin).max(limits.scheduleEverySecondsMax).exactOptional(),
  timeZone: z.string().max(64).refine(isTimeZone, zoneRule).exactOptional(),
  job: z.custom<JsonObject>(isJsonObject, 'an object, the body of a new job without jobId and startTime'),
  overlap: z.enum(overlaps).exactOptional(),
  catchUp: z.enum(catchUps).exactOptional(),
  startAt: z.string().exactOptional(),
  endAt: z.string().exactOptional(),
  maxRuns: z.int().min(1).max(1_000_000_000).exactOptional(),
})

/** The members of the body of a schedule, for the document. */
export const scheduleBodySchema = exactSchema.partial().extend({
  job: jobBodySchema.omit({ jobId: true, startTime: true }),
})

/** The schedule that a path names. @throws HubError ArgumentInvalid for a text that is no id of a schedule */
export function parseScheduleId(text: string): string {
  if (/^[A-Za-z0-9][\w.-]*$/.test(text) && text.length <= limits.scheduleIdLength) return text
  throw new HubError('ArgumentInvalid', {
    message: `scheduleId must be 1 to ${limits.scheduleIdLength} ASCII letters, digits and - . _, and begin with a letter or a digit, got "${clip(text)}"`,
  })
}

/**
 * Reads the body of a schedule. The job in it is checked as that of a new job which begins at the first run.
 * @throws HubError of status 400 that names the member, its value and what was expected
 */
export function parseScheduleBody(
  scheduleId: string,
  { body, numberText }: ReturnType<typeof readDocument>,
  { vocabulary, now }: { vocabulary: Vocabulary; now: Date },
): ScheduleDraft {
  const given = parseExactly(exactSchema, body)
  const startAt = readTime('startAt', given.startAt, now)
  const endAt = readTime('endAt', given.endAt, now)
  if (startAt !== null && endAt !== null && endAt <= startAt) {
    throw invalid(`endAt must lie after startAt, got "${given.endAt}" and "${given.startAt}"`)
  }
  const times = { rhythm: readRhythm(given), startAt, endAt }
  const firstRun = firstTimeOf(times, now) ?? now
  return {
    scheduleId,
    times,
    overlap: given.overlap ?? 'skip',
    catchUp: given.catchUp ?? 'none',
    maxRuns: given.maxRuns ?? null,
    job: parseTemplate({ body: given.job, numberText }, { vocabulary, now: firstRun }),
  }
}

function firstTimeOf({ rhythm, ...bounds }: ScheduleDraft['times'], now: Date): Date | null {
  const { startAt } = bounds
  return runTimeAfter(
    { ...bounds, rhythm: rhythm.kind === 'cron' ? rhythm : { ...rhythm, anchor: startAt ?? now } },
    now,
  )
}

function readRhythm({ cron, every, timeZone }: z.output<typeof exactSchema>): ScheduleDraft['times']['rhythm'] {
  if (cron !== undefined && every !== undefined) throw invalid('cron and every are both there; expected one of the two')
  if (cron !== undefined) return { kind: 'cron', cron: cron.trim(), timeZone: timeZone ?? 'UTC' }
  if (every === undefined) {
    throw new HubError('ArgumentNull', { message: `cron is missing; expected ${cronRule}, or every, in seconds` })
  }
  if (timeZone !== undefined) throw invalid(`timeZone goes with cron and not with every, got "${clip(timeZone)}"`)
  return { kind: 'every', seconds: every }
}

function readTime(member: string, text: string | undefined, now: Date): Date | null {
  if (text === undefined) return null
  const time = parseInstant(text)
  const latest = new Date(now.getTime() + limits.scheduleAheadSeconds * 1000)
  if (time !== null && time.getUTCFullYear() > 0 && time <= latest) return time
  throw invalid(
    `${member} must be ISO 8601 such as 2026-01-31T10:00:00Z, before ${latest.toISOString()}, got "${clip(text)}"`,
  )
}

/** Each run has an id and a start of its own. */
function parseTemplate(
  document: { readonly body: JsonObject; readonly numberText: ReturnType<typeof readDocument>['numberText'] },
  options: { vocabulary: Vocabulary; now: Date },
): JobTemplate {
  for (const [name, value] of Object.entries(document.body)) {
    if (/^(jobid|starttime)$/i.test(name) && value !== null) {
      throw invalid(`job.${name} must be absent: each run has its own, got ${clip(JSON.stringify(value))}`)
    }
  }
  const address = { jobId: parseJobId('run'), deviceId: null }
  const {
    type,
    target,
    queryCondition,
    body,
    maxExecutionTimeInSeconds,
    extensions = {},
  } = within('job', () => parseJobBody(document, address, options))
  return { type, target, queryCondition, body, maxExecutionTimeInSeconds, extensions }
}

/** Names the member in which an error was found. */
function within<Value>(member: string, read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    throw new HubError(error.code, { message: `${member}: ${error.message}`, cause: error })
  }
}

function invalid(message: string): HubError {
  return new HubError('ArgumentInvalid', { message })
}
