import { closest, distance } from 'fastest-levenshtein'
import { z } from 'zod'
import { clip } from '../clip.ts'
import { HubError } from '../errors.ts'
import { isJsonObject } from '../json.ts'
import { parseBody } from '../schemas.ts'

/**
 * Reads a member that is this hub's own. Unlike the members of Azure IoT Hub, it is refused if it holds a name that the hub does not know,
 * at any level: the caller relies on what the name says.
 * @throws HubError ArgumentInvalid that names the unknown member and the nearest known one; else as `parseBody`
 */
export function parseExactly<Output>(schema: z.ZodType<Output>, value: unknown, root = ''): Output {
  refuseUnknown(schema, value, root === '' ? [] : [root])
  return parseBody(schema, value, root)
}

function refuseUnknown(schema: z.core.$ZodType, value: unknown, path: readonly string[]): void {
  if (schema instanceof z.ZodExactOptional || schema instanceof z.ZodNullable)
    refuseUnknown(schema.unwrap(), value, path)
  if (schema instanceof z.ZodPipe) refuseUnknown(schema.in, value, path)
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    for (const [index, item] of value.entries()) refuseUnknown(schema.element, item, [...path, String(index)])
  }
  if (!(schema instanceof z.ZodObject) || !isJsonObject(value)) return
  const known: Readonly<Record<string, z.core.$ZodType>> = schema.shape
  for (const [name, inside] of Object.entries(value)) {
    const member = Object.hasOwn(known, name) ? known[name] : undefined
    if (member === undefined) throw unknownMember([...path, clip(name)], name, Object.keys(known))
    refuseUnknown(member, inside, [...path, name])
  }
}

function unknownMember(path: readonly string[], name: string, known: readonly string[]): HubError {
  const near = nearestOf(name, known)
  const hint = near === null ? '' : `. The nearest is ${near}`
  return new HubError('ArgumentInvalid', {
    message: `${path.join('.')} is not known; expected one of ${known.join(', ')}${hint}`,
  })
}

/** The known name that differs least, in any letter case. Null: every one differs in more than a third of its letters. */
export function nearestOf(name: string, known: readonly string[]): string | null {
  if (name.length > 64) return null
  const lower = known.map((one) => one.toLowerCase())
  const near = closest(name.toLowerCase(), lower)
  if (distance(name.toLowerCase(), near) > near.length / 3) return null
  return known[lower.indexOf(near)] ?? null
}
