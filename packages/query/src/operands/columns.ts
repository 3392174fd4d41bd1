import type { Path, Step } from '../language/ast.ts'
import { bind, type SqlFragment, sql, trusted } from './fragment.ts'

/** NULL in a text, number or instant column is the wire's null, or nothing at all when `undefinedWhenNull`. */
interface PlainColumn {
  /** A column, or an expression over columns. */
  readonly sql: string
  readonly undefinedWhenNull?: true
}

export type TextColumn = PlainColumn & {
  readonly kind: 'text'
  /** All texts that it can be, each with SQL that is true where it is that one: for an index that `sql` hides. */
  readonly equals?: ReadonlyMap<string, string>
}

/** What the SQL side offers for a member of a row. */
export type Column =
  | TextColumn
  /** An integer. */
  | (PlainColumn & { readonly kind: 'number' })
  /** A timestamptz in milliseconds, shown on the wire by `formatInstant`. Compares with ISO 8601 texts as an instant. */
  | (PlainColumn & { readonly kind: 'instant' })
  | JsonColumn

/**
 * A jsonb column; paths step into it. Its numbers are written as `JSON.stringify` writes doubles. NULL is undefined, and so
 * is `{}` itself when the wire leaves an empty one out. It holds an object if keys of other columns go on from its own.
 */
export interface JsonColumn {
  readonly kind: 'json'
  readonly sql: string
  readonly undefinedWhenEmpty?: true
}

/**
 * Members of a source and their columns: `deviceId`, `tags`, `properties.desired`, `properties.desired.$version`. The
 * longest key that begins a path wins. A member that only begins keys, as `properties` does, is an object.
 */
export type Columns = ReadonlyMap<string, Column>

export type Resolved =
  | { readonly kind: 'column'; readonly key: string; readonly column: Column; readonly steps: readonly Step[] }
  | { readonly kind: 'object' }
  | { readonly kind: 'nothing' }

/** The column that a path of canonical names reads, and the steps that are left to take in it. */
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

/** The names with which the keys go on that a path of canonical names begins. */
export function namesBelow({ root, steps }: Pick<Path, 'root' | 'steps'>, columns: Columns): readonly string[] {
  const names = [root, ...steps]
  if (!names.every(isPlainName)) return []
  const prefix = `${names.join('.')}.`
  const below = [...columns.keys()].filter((key) => key.startsWith(prefix))
  return [...new Set(below.map((key) => key.slice(prefix.length).split('.')[0] ?? ''))]
}

// A name with a dot of its own must not be taken for two.
function isPlainName(step: Step): boolean {
  return typeof step === 'string' && !step.includes('.')
}

/** A column's SQL, ready to stand as an operand. */
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
