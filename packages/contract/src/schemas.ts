import { z } from 'zod'
import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import type { Json } from './json.ts'
import { foldMembers, membersOf } from './members.ts'

/** Any value of a body that was parsed from JSON. It is not checked again. */
export const jsonSchema: z.ZodType<Json> = z.custom<Json>((value) => value !== undefined)

/**
 * Parses a caller's JSON by a schema, whose members it may have in any letter case.
 * @throws HubError whose text names the first member that is wrong, its value, and what was expected: ArgumentNull for a
 * required member that is missing or null, IotHubFormatError for a wrong type, ArgumentInvalid for a bad value.
 */
export function parseBody<Output>(schema: z.ZodType<Output>, body: unknown, root = ''): Output {
  const members = membersOf(schema)
  const folded = members === null ? body : foldMembers(body, members)
  const parsed = schema.safeParse(folded)
  if (parsed.success) return parsed.data

  const issue = parsed.error.issues[0]
  const path = issue?.path ?? []
  const member = [root, ...path].filter((segment) => segment !== '').join('.') || 'the body'
  const value = valueAt(folded, path)
  const rule = issue === undefined ? 'valid' : ruleOf(issue)
  if (value === undefined || (value === null && issue?.code === 'invalid_type')) {
    throw new HubError('ArgumentNull', { message: `${member} is missing; it must be ${rule}` })
  }
  const got = `${rule.endsWith('.') ? ' Got' : ', got'} ${clip(JSON.stringify(value))}`
  throw new HubError(issue?.code === 'invalid_type' ? 'IotHubFormatError' : 'ArgumentInvalid', {
    message: `${member} must be ${rule}${got}`,
  })
}

/** The words after "must be" for a member. A message in one of our schemas already is such words, and may end the sentence. */
function ruleOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return kinds[issue.expected] ?? `of type ${issue.expected}`
    case 'too_small':
      return `${beforeBound[issue.origin] ?? ''}at least ${issue.minimum}${afterBound[issue.origin] ?? ''}`
    case 'too_big':
      return `${beforeBound[issue.origin] ?? ''}at most ${issue.maximum}${afterBound[issue.origin] ?? ''}`
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`
    default:
      return issue.message
  }
}

const beforeBound: Readonly<Record<string, string>> = { array: 'a list of ' }
const afterBound: Readonly<Record<string, string>> = { string: ' characters long' }

const kinds: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'an integer',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'an array',
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    body,
  )
}
