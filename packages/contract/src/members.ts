import { z } from 'zod'
import { isJsonObject, type JsonObject } from './json.ts'

/** The members of a body, in the spelling of the protocol. Null: the value belongs to the caller, or is no object. */
export interface Members {
  readonly [name: string]: Members | null
}

/**
 * A body with the exact spelling of its members, at every level that has names: old clients send `JobId` or `jobid`. The exact
 * spelling wins over its variants. Members without a name here are left out. A value that is no object is returned as it is.
 */
export function foldMembers(body: JsonObject, members: Members): JsonObject
export function foldMembers(body: unknown, members: Members): unknown
export function foldMembers(body: unknown, members: Members): unknown {
  if (!isJsonObject(body)) return body
  const spelled = new Map(Object.keys(members).map((name) => [name.toLowerCase(), name]))
  const folded: Record<string, unknown> = {}
  for (const name of Object.keys(body)) {
    const right = spelled.get(name.toLowerCase())
    if (right === undefined || (name !== right && Object.hasOwn(body, right))) continue
    const inside = members[right] ?? null
    folded[right] = inside === null ? body[name] : foldMembers(body[name], inside)
  }
  return folded
}

/** The members that a schema knows. */
export function membersOf(schema: z.core.$ZodType): Members | null {
  if (schema instanceof z.ZodObject) {
    const members = Object.entries<z.core.$ZodType>(schema.shape)
    return Object.fromEntries(members.map(([name, member]) => [name, membersOf(member)]))
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return membersOf(schema.unwrap())
  return schema instanceof z.ZodPipe ? membersOf(schema.in) : null
}
