import { z } from 'zod'
import { HubError } from '../errors.ts'
import { isJsonObject, type JsonObject } from '../json.ts'
import { limits } from '../limits.ts'
import { parseBody } from '../schemas.ts'
import { type Extensions, extensionsSchema, prioritySchema } from './extensions.ts'
import { parseExactly } from './parse-exactly.ts'
import { changedRatesShape } from './rates.ts'
import { rolloutSchema } from './rollout.ts'

/** What may change of a job in its course. Null takes a member away. */
export const jobChangeSchema = z.object({
  rollout: z.object(changedRatesShape).exactOptional(),
  priority: prioritySchema.nullable().exactOptional(),
  maxExecutionTimeInSeconds: z.int().min(1).max(limits.jobWindowSecondsMax).exactOptional(),
})

export type JobChange = z.output<typeof jobChangeSchema>

/**
 * Reads what is to change of a job. `azureMembers`: the other members that a job has.
 * @throws HubError of status 400 for a member that cannot change or is not known, and for none
 */
export function parseJobChange(body: unknown, azureMembers: readonly string[]): JobChange {
  if (isJsonObject(body)) {
    const known = [...azureMembers, ...Object.keys(extensionsSchema.shape)]
    refuseFixed(body, known, Object.keys(jobChangeSchema.shape), '')
    if (isJsonObject(body.rollout)) {
      refuseFixed(body.rollout, Object.keys(rolloutSchema.shape), Object.keys(changedRatesShape), 'rollout.')
    }
  }
  const change = parseExactly(jobChangeSchema, body)
  const { rollout, ...rest } = change
  if (Object.keys(rest).length + Object.keys(rollout ?? {}).length === 0) {
    throw new HubError('ArgumentNull', {
      message: `the body changes nothing; expected one of ${Object.keys(jobChangeSchema.shape).join(', ')}`,
    })
  }
  return change
}

function refuseFixed(
  given: JsonObject,
  known: readonly string[],
  changeable: readonly string[],
  path: '' | 'rollout.',
): void {
  const fixed = Object.keys(given).find((name) => known.includes(name) && !changeable.includes(name))
  if (fixed === undefined) return
  throw new HubError('ArgumentInvalid', {
    message: `${path}${fixed} cannot change once the job is there; what can is ${changeable.map((name) => path + name).join(', ')}`,
  })
}

/** What a job asks for after a change, and the members that are others than before, with their new values; null for one that is gone. */
export interface Changed {
  readonly extensions: Extensions
  readonly changes: JsonObject
}

/** @throws HubError when what remains does not fit together */
export function changeExtensions(extensions: Extensions, { rollout = {}, priority }: JobChange): Changed {
  const { rollout: before = {}, priority: priorityBefore, ...others } = extensions
  const merged = without({ ...before, ...rollout })
  const after = Object.keys(merged).length === 0 ? null : parseBody(rolloutSchema, merged, 'rollout')
  const priorityAfter = priority === undefined ? priorityBefore : priority
  return {
    extensions: {
      ...others,
      ...(after === null ? {} : { rollout: after }),
      ...(priorityAfter == null ? {} : { priority: priorityAfter }),
    },
    changes: {
      ...prefixed(differences(before, rollout)),
      ...differences({ priority: priorityBefore }, priority === undefined ? {} : { priority }),
    },
  }
}

function without(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null))
}

function differences(before: object, given: object): JsonObject {
  const was = new Map(Object.entries(before).map(([name, value]) => [name, JSON.stringify(value)]))
  return Object.fromEntries(
    Object.entries(given).filter(([name, value]) => JSON.stringify(value) !== (was.get(name) ?? 'null')),
  )
}

function prefixed(rollout: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(rollout).map(([name, value]) => [`rollout.${name}`, value]))
}
