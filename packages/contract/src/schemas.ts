import { z } from 'zod'
import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import type { Json } from './json.ts'

/** Any member of a body that has been parsed from JSON: it is what it is, and not walked through again. */
export const jsonSchema: z.ZodType<Json> = z.custom<Json>((value) => value !== undefined)

/**
 * Parses a caller's JSON by a schema.
 * @throws HubError whose text names the first member that is wrong, its value, and what was expected: ArgumentNull for a
 * required member that is missing or null, IotHubFormatError for a wrong type, ArgumentInvalid for a bad value.
 */
export function parseBody<Output>(schema: z.ZodType<Output>, body: unknown, root = ''): Output {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data

  const issue = parsed.error.issues[0]
  const path = issue?.path ?? []
  const member = [root, ...path].filter((segment) => segment !== '').join('.') || 'the body'
  const value = valueAt(body, path)
  if (value === undefined || (value === null && issue?.code === 'invalid_type')) {
    throw new HubError('ArgumentNull', { message: `${member} is missing; expected ${expected(issue)}` })
  }
  throw new HubError(issue?.code === 'invalid_type' ? 'IotHubFormatError' : 'ArgumentInvalid', {
    message: `${member}: ${issue?.message ?? 'invalid'}, got ${clip(JSON.stringify(value))}`,
  })
}

function expected(issue: z.core.$ZodIssue | undefined): string {
  return issue?.code === 'invalid_type' ? issue.expected : (issue?.message ?? 'a value')
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    body,
  )
}
