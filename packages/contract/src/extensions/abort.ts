import { z } from 'zod'
import type { ErrorName } from '../errors.ts'
import { percentage } from './percentage.ts'

/** With which a device job can fail. */
const deviceErrors = [
  'ArgumentInvalid',
  'DeviceConnectionClosedRemotely',
  'DeviceNotFound',
  'GatewayTimeout',
  'GenericBadGateway',
  'JobRunPreconditionFailed',
  'ServerError',
] as const satisfies readonly ErrorName[]

/** What is done to a job that fails on too many devices. Absent: `pause`, because a pause can be undone. */
const action = z.enum(['pause', 'cancel'])
/** No percentage is looked at before so many devices have ended. */
const leastEnded = z.int().min(1).max(100_000_000)

/** When a stage stops its job. The percentage is of the devices of the stage that succeeded or failed. */
export const stageAbortSchema = z
  .object({
    failurePercent: percentage.exactOptional(),
    failureCount: z.int().min(1).max(100_000_000).exactOptional(),
    minEnded: leastEnded.exactOptional(),
    codes: z.array(z.enum(deviceErrors)).min(1).exactOptional(),
    action: action.exactOptional(),
  })
  .superRefine(({ failurePercent, failureCount, minEnded }, context) => {
    if ((failurePercent === undefined) === (failureCount === undefined)) {
      context.addIssue({ code: 'custom', message: 'an object with one of failurePercent and failureCount' })
    }
    if (failureCount !== undefined && minEnded !== undefined) {
      context.addIssue({ code: 'custom', path: ['minEnded'], message: 'absent beside failureCount' })
    }
  })

export type StageAbort = z.output<typeof stageAbortSchema>

/** AWS IoT Jobs has these. What each is here: see `countedBy` in the store (`stop-rules.ts`). */
const failureTypes = ['failed', 'timedOut', 'rejected', 'all'] as const
export type FailureType = (typeof failureTypes)[number]

const criterionSchema = z.object({
  failureType: z.enum(failureTypes),
  thresholdPercentage: percentage,
  minNumberOfExecuted: leastEnded,
  action: action.exactOptional(),
})

export type AbortCriterion = z.output<typeof criterionSchema>

/** When a job stops by itself. The percentage is of the devices of the job that succeeded or failed. */
export const abortSchema = z.object({ criteria: z.array(criterionSchema).min(1).max(10) })
