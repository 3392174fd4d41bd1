import { z } from '@hono/zod-openapi'
import {
  clip,
  type DeviceId,
  extensionsSchema,
  HubError,
  type JobId,
  type JobRequest,
  type JobType,
  knownJobTypes,
  limits,
  parseBody,
  parseExtensions,
  parseInstant,
  parseJobId,
  parseJobType,
  type Vocabulary,
  withinRequest,
} from '@muster/contract'
import { operationOf } from '@muster/operations'
import { described } from '../http/described.ts'
import type { readDocument } from '../http/json-body.ts'
import { checkRollout } from './rollout-rules.ts'
import { checkSelection, parseTarget, targetShape, toTarget } from './target.ts'
import { checkWindows } from './windows.ts'

/** The members that Azure IoT Hub has, too. The operations have the rules of the two operation bodies. */
const azureBodySchema = z.object({
  jobId: z.preprocess((value) => (typeof value === 'number' ? String(value) : value), z.string().nullish()),
  type: z
    .string()
    .nullish()
    .openapi({ enum: [...knownJobTypes], description: 'Each version of the wire understands all of them' }),
  ...targetShape,
  startTime: z.string().nullish(),
  maxExecutionTimeInSeconds: z.int().nullish(),
  updateTwin: z.unknown().optional(),
  cloudToDeviceMethod: z.unknown().optional(),
})

/** Their names. */
export const azureMembers = Object.keys(azureBodySchema.shape)

/** The members of the body of a new job. */
export const jobBodySchema = azureBodySchema.extend(described(extensionsSchema).shape)

export interface JobAddress {
  readonly jobId: JobId
  /** The device of the address `/jobs/v2/{deviceId}/methods/{jobId}`. With it, a target in the body is ignored. */
  readonly deviceId: DeviceId | null
}

/**
 * Reads the body of a new job, in any of the spellings that were ever documented. `warnings`: what of it can never do anything.
 * @throws HubError of status 400 that names the member, its value and what was expected.
 */
export function parseJobBody(
  { body, numberText }: ReturnType<typeof readDocument>,
  address: JobAddress,
  { vocabulary, now }: { vocabulary: Vocabulary; now: Date },
): JobRequest & { readonly queryCondition: string; readonly warnings: readonly string[] } {
  const members = parseBody(azureBodySchema, body)
  checkJobId(members.jobId, address.jobId)
  const type = readType(members.type, address)
  const operation = operationOf(type)
  const shown = address.deviceId === null ? parseTarget(members) : toTarget([address.deviceId])
  const operationBody = operation.parseBody(
    withinRequest(operation.member, members[operation.member]),
    vocabulary,
    numberText,
  )
  const startTime = readStartTime(members.startTime, now)
  const maxExecutionTimeInSeconds = readWindow(members.maxExecutionTimeInSeconds)
  const extensions = parseExtensions(body, azureMembers)
  checkSelection(extensions, shown.target)
  operation.checkExtensions(extensions, operationBody)
  const request = {
    jobId: address.jobId,
    type,
    ...shown,
    body: operationBody,
    startTime,
    maxExecutionTimeInSeconds,
    extensions,
    warnings: checkRollout(extensions, shown.target),
  }
  checkWindows(request, now)
  return request
}

/** What `/jobs/v2/{jobId}` answers instead of a job of this id: it could never be read. */
const takenAddresses: Readonly<Record<string, string>> = {
  query: 'the job list',
  events: 'the events of all jobs',
  stop: 'the stop of many jobs',
  stops: 'the stops of many jobs',
}

/** The id in the address counts. */
export function addressedJobId(text: string): JobId {
  const taken = Object.hasOwn(takenAddresses, text) ? takenAddresses[text] : undefined
  if (taken !== undefined) {
    throw new HubError('ArgumentInvalid', {
      message: `jobId "${text}" is the address of ${taken}; choose another id`,
    })
  }
  return parseJobId(text)
}

function checkJobId(inBody: string | null | undefined, inPath: JobId): void {
  if (inBody == null || inBody === inPath) return
  throw new HubError('ArgumentInvalid', {
    message: `jobId in the body is "${clip(inBody)}"; expected "${inPath}", as in the path, or no jobId`,
  })
}

function readType(text: string | null | undefined, { deviceId }: JobAddress): JobType {
  const expected = `expected one of ${knownJobTypes.join(', ')}`
  if (text == null && deviceId !== null) return 'scheduleDeviceMethod'
  if (text == null) throw new HubError('ArgumentNull', { message: `type is missing; ${expected}` })

  const type = parseJobType(text)
  if (type === null)
    throw new HubError('GenericBadRequest', { message: `type "${clip(text)}" is not known; ${expected}` })
  if (deviceId !== null && type !== 'scheduleDeviceMethod') {
    throw new HubError('ArgumentInvalid', {
      message: `type "${text}" cannot be sent to a device's methods; expected scheduleDeviceMethod`,
    })
  }
  return type
}

/** The earliest time that every client and the database can write. */
const earliestStart = new Date('0001-01-01T00:00:00Z')

/** Null: now. */
export function readStartTime(text: string | null | undefined, now: Date): Date | null {
  if (text == null) return null
  const startTime = parseInstant(text)
  if (startTime === null || startTime < earliestStart) {
    throw new HubError('ArgumentInvalid', {
      message: `startTime must be ISO 8601 such as 2026-01-31T10:00:00Z, got "${clip(text)}"`,
    })
  }
  const latest = new Date(now.getTime() + limits.jobStartAheadSeconds * 1000)
  if (startTime > latest) {
    throw new HubError('ArgumentInvalid', {
      message: `startTime must lie at most ${limits.jobStartAheadSeconds / 86_400} days ahead, before ${latest.toISOString()}, got "${clip(text)}"`,
    })
  }
  return startTime
}

function readWindow(seconds: number | null | undefined): number {
  if (seconds == null || seconds === 0) return limits.jobWindowSecondsDefault
  if (seconds > 0 && seconds <= limits.jobWindowSecondsMax) return seconds
  throw new HubError('ArgumentInvalid', {
    message: `maxExecutionTimeInSeconds must be 1 to ${limits.jobWindowSecondsMax}, or 0 for ${limits.jobWindowSecondsDefault}, got ${seconds}`,
  })
}
