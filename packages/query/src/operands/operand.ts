import { instantPattern, instantText } from '../language/instants.ts'
import { truthOf } from '../language/truth.ts'
import type { Scalar } from '../language/values.ts'
import { type Column, columnSql, type JsonColumn } from './columns.ts'
import { bind, type SqlFragment, sql, trusted } from './fragment.ts'

/** SQL for the value of an expression. NULL means undefined, except in plain columns. */
export type Operand =
  | { readonly kind: 'constant'; readonly value: Scalar | undefined }
  /** A boolean. */
  | { readonly kind: 'truth'; readonly sql: SqlFragment }
  /** A float8 that arithmetic yields. */
  | { readonly kind: 'double'; readonly sql: SqlFragment }
  /** A jsonb of any type. */
  | { readonly kind: 'json'; readonly sql: SqlFragment }
  | { readonly kind: 'plain'; readonly column: Exclude<Column, JsonColumn> }

export const unknown: Operand = { kind: 'constant', value: undefined }

/** A boolean as an operand. */
export function truth(fragment: SqlFragment): Operand {
  return { kind: 'truth', sql: fragment }
}

/** As a boolean. A value that is no boolean counts as false. */
export function truthSql(operand: Operand): SqlFragment {
  switch (operand.kind) {
    case 'constant':
      return trusted(`${truthOf(operand.value) ?? 'null::boolean'}`)
    case 'truth':
      return operand.sql
    default:
      return sql`(${jsonOf(operand)} = 'true'::jsonb)`
  }
}

/** A constant that no row can hold: Postgres has no NUL in texts. */
export function holdsNul(value: Scalar | undefined): value is string {
  return typeof value === 'string' && value.includes('\0')
}

/** As jsonb. */
export function jsonOf(operand: Operand): SqlFragment {
  switch (operand.kind) {
    case 'constant':
      return operand.value === undefined ? sql`null::jsonb` : bind(jsonText(operand.value), 'jsonb')
    case 'json':
      return operand.sql
    case 'plain': {
      const json = sql`to_jsonb(${shown(operand.column)})`
      return operand.column.undefinedWhenNull === true ? json : sql`coalesce(${json}, 'null'::jsonb)`
    }
    default:
      return sql`to_jsonb(${operand.sql})`
  }
}

/** JSON text of a constant. A text with NUL becomes `[]`: both are equal to no scalar. */
export function jsonText(value: Scalar): string {
  return holdsNul(value) ? '[]' : JSON.stringify(value)
}

/** As jsonb, NULL for objects and arrays too: they do not compare. */
export function scalarOf(operand: Operand): SqlFragment {
  const json = jsonOf(operand)
  if (operand.kind !== 'json') return json
  return sql`case when jsonb_typeof(${json}) not in ('object', 'array') then ${json} end`
}

/** As text, NULL where it is none; undefined when it never is one. */
export function textOf(operand: Operand): SqlFragment | undefined {
  switch (operand.kind) {
    case 'constant':
      return typeof operand.value === 'string' ? bind(operand.value, 'text') : undefined
    case 'json':
      return sql`case when jsonb_typeof(${operand.sql}) = 'string' then ${operand.sql} #>> '{}' end`
    case 'plain':
      return operand.column.kind === 'number' ? undefined : shown(operand.column)
    default:
      return undefined
  }
}

/** As numeric, NULL where it is no number; undefined when it never is one. */
export function numericOf(operand: Operand): SqlFragment | undefined {
  switch (operand.kind) {
    case 'constant':
      return typeof operand.value === 'number' ? bind(String(operand.value), 'numeric') : undefined
    case 'json':
      return sql`case when jsonb_typeof(${operand.sql}) = 'number' then ${operand.sql}::numeric end`
    case 'plain':
      return operand.column.kind === 'number' ? sql`${columnSql(operand.column)}::numeric` : undefined
    default:
      return undefined
  }
}

/**
 * As float8, NULL where it is no number; undefined when it never is one. jsonb holds numbers that are out of the range of a double.
 * They are moved to a value within that range, but beyond every result of arithmetic. So a comparison has the same result.
 */
export function doubleOf(operand: Operand): SqlFragment | undefined {
  switch (operand.kind) {
    case 'constant':
      return typeof operand.value === 'number' ? bind(String(operand.value), 'float8') : undefined
    case 'double':
      return operand.sql
    case 'json': {
      const number = sql`${operand.sql}::numeric`
      const stand = sql`sign(${number}) * case when abs(${number}) > 1 then 1e302 else 1e-302 end`
      return sql`case when jsonb_typeof(${operand.sql}) <> 'number' then null when abs(${number}) between 1e-301 and 1e301 then ${operand.sql}::float8 else (${stand})::float8 end`
    }
    case 'plain':
      return operand.column.kind === 'number' ? sql`${columnSql(operand.column)}::float8` : undefined
    default:
      return undefined
  }
}

/** As timestamptz, NULL where it is no instant; undefined when it never is one. */
export function instantOf(operand: Operand): SqlFragment | undefined {
  if (operand.kind === 'plain' && operand.column.kind === 'instant') return columnSql(operand.column)
  if (operand.kind === 'constant') {
    const text = typeof operand.value === 'string' ? instantText(operand.value) : undefined
    return text === undefined ? undefined : bind(text, 'timestamptz')
  }
  const text = textOf(operand)
  if (text === undefined) return undefined
  const cut = sql`regexp_replace(${text}, '([.][0-9]{6})[0-9]+', '\\1')`
  const zone = sql`case when ${text} !~ 'T' then 'T00:00Z' when ${text} ~ '(Z|[+-]..:..)$' then '' else 'Z' end`
  return sql`case when ${text} ~ ${bind(instantPattern, 'text')} then (${cut} || ${zone})::timestamptz end`
}

// A column as the wire shows it: `formatInstant` of the contract, in SQL.
function shown(column: Exclude<Column, JsonColumn>): SqlFragment {
  if (column.kind !== 'instant') return columnSql(column)
  const text = sql`to_char(${columnSql(column)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
  return sql`replace(${text}, '0001-01-01T00:00:00.000Z', '0001-01-01T00:00:00Z')`
}
