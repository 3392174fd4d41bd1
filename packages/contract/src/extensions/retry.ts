import { z } from 'zod'
import type { ErrorName } from '../errors.ts'
import { nearestOf } from './parse-exactly.ts'

/** The errors of a device job after which another call may end otherwise. After every other one it cannot, or nobody was called. */
const retriedErrors: readonly ErrorName[] = ['GatewayTimeout', 'GenericBadGateway', 'DeviceConnectionClosedRemotely']

/** What `retry.on` may name beside a status: errors, answers by the first digit of their status, and the end of a call without an answer. */
const retriedClasses: readonly string[] = [...retriedErrors, 'unknownOutcome', '4xx', '5xx']

const statusPattern = /^[1-9]\d{2}$/

const retriedClass = z.string().refine((text) => retriedClasses.includes(text) || statusPattern.test(text), {
  error: ({ input }) => {
    const near = nearestOf(String(input), retriedClasses)
    return `one of ${retriedClasses.join(', ')}, or a status such as 503${near === null ? '' : `; the nearest is ${near}`}`
  },
})

/** When a device of a method job is called again after it was called. Seconds, unless a name says otherwise. */
export const retrySchema = z
  .object({
    maxAttempts: z.int().min(1).max(10).exactOptional(),
    on: z
      .array(retriedClass)
      .refine((classes) => classes.length >= 1 && classes.length <= 20, { error: 'a list of 1 to 20 classes' })
      .exactOptional(),
    backoff: z
      .object({
        initialSeconds: z.int().min(0).max(3600).exactOptional(),
        multiplier: z.number().min(1).max(10).exactOptional(),
        maxSeconds: z.int().min(1).max(86_400).exactOptional(),
        jitter: z.enum(['full', 'none']).exactOptional(),
      })
      .exactOptional(),
    deviceSays: z.boolean().exactOptional(),
  })
  .refine(({ maxAttempts, deviceSays }) => maxAttempts !== undefined || deviceSays === true, {
    error: 'an object with maxAttempts of 1 to 10, or with deviceSays true',
  })
  .refine(({ maxAttempts, on }) => on === undefined || maxAttempts !== undefined, {
    error: 'an object with maxAttempts of 1 to 10 beside on',
  })
