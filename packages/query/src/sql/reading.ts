import type { Path } from '../language/ast.ts'
import { type Columns, columnSql, namesBelow, resolve, stepInto } from '../operands/columns.ts'
import { bind, join, type SqlFragment, sql } from '../operands/fragment.ts'
import { jsonOf, type Operand, unknown } from '../operands/operand.ts'

/** The columns that a statement may read, and the keys of the columns that it reads. */
export interface Reading {
  readonly columns: Columns
  readonly roots: Set<string>
}

/** The value of a path, where of an object only its type matters. */
export function operandOfPath(path: Path, { columns, roots }: Reading): Operand {
  const resolved = resolve(path, columns)
  if (resolved.kind === 'nothing') return unknown
  if (resolved.kind === 'object') return { kind: 'json', sql: sql`'{}'::jsonb` }

  const { key, column, steps } = resolved
  roots.add(key)
  if (column.kind !== 'json') return steps.length === 0 ? { kind: 'plain', column } : unknown
  if (steps.length === 0 && column.undefinedWhenEmpty === true) {
    return { kind: 'json', sql: sql`nullif(${columnSql(column)}, '{}'::jsonb)` }
  }
  const value = stepInto(column, steps)
  return value === undefined ? unknown : { kind: 'json', sql: sql`(${value})` }
}

/**
 * The value of a path as a jsonb, NULL where it is undefined. An object is whole: members with their own columns are put together,
 * such as `properties` from `properties.desired` and `properties.desired.$version`.
 */
export function wholeOf(path: Path, reading: Reading): SqlFragment {
  const own = jsonOf(operandOfPath(path, reading))
  const members = namesBelow(path, reading.columns).map((name) => {
    const member = wholeOf({ ...path, steps: [...path.steps, name] }, reading)
    return sql`case when ${member} is null then '{}' else jsonb_build_object(${bind(name, 'text')}, ${member}) end`
  })
  return members.length === 0 ? own : sql`(${join([own, ...members], ' || ')})`
}
