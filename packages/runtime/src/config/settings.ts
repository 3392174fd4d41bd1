import { z } from 'zod'
import { type RoleName, roleNames } from './role-names.ts'
import { descriptions, variables } from './variables.ts'

/** A variable as people read of it. */
export interface Setting {
  readonly name: string
  readonly what: string
  /** The value without the variable. Null: there is none, and `otherwise` may say what holds. */
  readonly fallback: string | number | null
  readonly otherwise: string | null
  /** '1 to 256', or words, or what a value looks like. */
  readonly values: string
  readonly unit: string | null
  readonly readBy: readonly (RoleName | 'migrate')[]
  readonly isSecret: boolean
}

const bounds = z.object({
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  enum: z.array(z.string()).optional(),
  default: z.union([z.string(), z.number(), z.array(z.string()), z.object({})]).optional(),
})

/** All variables, in the order of their schema. */
export const settings: readonly Setting[] = Object.entries(variables.shape).map(([name, schema]) => {
  const described = descriptions.get(schema)
  if (described === undefined) throw new Error(`${name} has no description`)
  const { minimum, maximum, enum: words, default: fallback } = boundsOf(schema)
  return {
    name,
    what: described.what,
    fallback: described.otherwise === undefined && fallback !== undefined ? textOf(fallback) : null,
    otherwise: described.otherwise ?? null,
    values: described.values ?? words?.join(', ') ?? `${minimum} to ${maximum}`,
    unit: described.unit ?? null,
    readBy: described.readBy ?? roleNames,
    isSecret: described.isSecret ?? false,
  }
})

/** They may come from a file, too. */
export const secretNames: readonly string[] = settings.filter(({ isSecret }) => isSecret).map(({ name }) => name)

function boundsOf(schema: z.ZodType): z.output<typeof bounds> {
  return bounds.parse(z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }))
}

function textOf(value: string | number | readonly string[] | object): string | number {
  return typeof value === 'object' ? String(value) : value
}
