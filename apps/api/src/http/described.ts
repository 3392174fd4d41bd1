import { z } from '@hono/zod-openapi'

/**
 * The same object for the document, which takes a member for required unless the schema accepts `undefined` for it: one that may only be
 * absent does not.
 */
export function described(schema: z.ZodObject): z.ZodObject {
  return z.object(Object.fromEntries(Object.entries(schema.shape).map(([name, member]) => [name, shown(member)])))
}

function shown(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodExactOptional) return z.optional(shown(schema.unwrap()))
  if (schema instanceof z.ZodNullable) return z.nullable(shown(schema.unwrap()))
  if (schema instanceof z.ZodObject) return described(schema)
  return schema instanceof z.ZodArray ? z.array(shown(schema.element)) : schema
}
