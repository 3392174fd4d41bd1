import type { Path, Step } from '../language/ast.ts'
import { bind, type SqlFragment, sql, trusted } from './fragment.ts'

/** NULL in a text, number or instant column is null on the wire, or undefined when `undefinedWhenNull`. */
interface PlainColumn {
  /** A column, or an expression over columns. */
  readonly sql: string
  readonly undefinedWhenNull?: true
}

export type TextColumn = PlainColumn & {
  readonly kind: 'text'
  /** All texts of the column, each with SQL that is true for that text. An index can answer this SQL, but not `sql`. */
  readonly equals?: ReadonlyMap<string, string>
}

/** The SQL of a member of a row. */
export type Column =
  | TextColumn
  /** An integer. */
  | (PlainColumn & { readonly kind: 'number' })
  /** A timestamptz in milliseconds, shown on the wire by `formatInstant`. Compares with ISO 8601 texts as an instant. */
  | (PlainColumn & { readonly kind: 'instant' })
  | JsonColumn

/**
 * A jsonb column; paths step into it. Its numbers are written as `JSON.stringify` writes doubles. NULL is undefined. `{}` is
 * undefined too, if the wire leaves out an empty object. If the keys of other columns continue its key, it holds an object.
 */
export interface JsonColumn {
  readonly kind: 'json'
  readonly sql: string
  readonly undefinedWhenEmpty?: true
}

/**
 * Members of a source and their columns: `deviceId`, `tags`, `properties.desired`, `properties.desired.$version`. The
 * longest key that begins a path wins. A member that only begins other keys, such as `properties`, is an object.
 */
export type Columns = ReadonlyMap<string, Column>

export type Resolved =
  | { readonly kind: 'column'; readonly key: string; readonly column: Column; readonly steps: readonly Step[] }
  | { readonly kind: 'object' }
  | { readonly kind: 'nothing' }

/** The column that a canonical path reads, and the steps that are left below it. */
export function resolve({ root, steps }: Path, columns: Columns): Resolved {
  const path = [root, ...steps]
  const odd = path.findIndex((step) => !isPlainName(step))
  const names = odd === -1 ? path : path.slice(0, odd)
  for (let length = names.length; length > 0; length -= 1) {
    const key = names.slice(0, length).join('.')
    const column = columns.get(key)
    if (column !== undefined) return { kind: 'column', key, column, steps: steps.slice(length - 1) }
  }
  return { kind: namesBelow({ root, steps }, columns).length > 0 ? 'object' : 'nothing' }
}

/** The names that come next in the keys that begin with a canonical path. */
export function namesBelow({ root, steps }: Pick<Path, 'root' | 'steps'>, columns: Columns): readonly string[] {
  const names = [root, ...steps]
  if (!names.every(isPlainName)) return []
  const prefix = `${names.join('.')}.`
  const below = [...columns.keys()].filter((key) => key.startsWith(prefix))
  return [...new Set(below.map((key) => key.slice(prefix.length).split('.')[0] ?? ''))]
}

// A name that contains a dot must not count as two names.
function isPlainName(step: Step): boolean {
  return typeof step === 'string' && !step.includes('.')
}

/** The SQL of a column, as an operand. */
export function columnSql({ sql: text }: Column): SqlFragment {
  return trusted(/^[\w.]+$/.test(text) ? text : `(${text})`)
}

/** The jsonb value that steps lead to, NULL where there is none; undefined where no row can have one. */
export function stepInto(column: JsonColumn, steps: readonly Step[]): SqlFragment | undefined {
  if (steps.some((step) => (typeof step === 'string' ? step.includes('\0') : step > largestIndex))) return undefined
  return steps.reduce<SqlFragment>(
    // `-> 0` finds a scalar in itself, which a strict JSON path does not.
    (value, step) =>
      typeof step === 'string'
        ? sql`${value} -> ${bind(step, 'text')}`
        : sql`jsonb_path_query_first(${value}, ${bind(`strict $[${step}]`, 'jsonpath')}, '{}', true)`,
    columnSql(column),
  )
}

const largestIndex = 2 ** 31 - 1
