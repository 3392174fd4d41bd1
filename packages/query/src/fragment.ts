/** What a fragment may bind. */
export type SqlValue = string | number | boolean | null | readonly string[] | readonly number[]

/**
 * SQL to be embedded in a statement: `strings.length === values.length + 1`, as in a template literal, with a bind
 * parameter between each string and the next. Text of the caller is only ever among the values.
 */
export interface SqlFragment {
  readonly strings: readonly string[]
  readonly values: readonly SqlValue[]
}

/** Template tag: joins fragments to one. Nothing but fragments can stand in the holes. */
export function sql(strings: TemplateStringsArray, ...parts: readonly SqlFragment[]): SqlFragment {
  return concat(
    strings.flatMap((text, index) => (index === 0 ? [trusted(text)] : [parts[index - 1] ?? empty, trusted(text)])),
  )
}

/** SQL from the program itself, never from a query text. */
export function trusted(text: string): SqlFragment {
  return { strings: [text], values: [] }
}

/** A bind parameter. Bound as text and cast by the server, since drivers convert values of other types in ways of their own. */
export function bind(
  text: string,
  type: 'text' | 'jsonb' | 'jsonpath' | 'numeric' | 'float8' | 'timestamptz',
): SqlFragment {
  return { strings: ['', type === 'text' ? '::text' : `::text::${type}`], values: [text] }
}

/** A list as one bind parameter. */
export function bindList(texts: readonly string[], type: 'text' | 'jsonb'): SqlFragment {
  return { strings: ['', type === 'text' ? '::text[]' : `::text[]::${type}[]`], values: [texts] }
}

export function join(parts: readonly SqlFragment[], separator: string): SqlFragment {
  return concat(parts.flatMap((part, index) => (index === 0 ? [part] : [trusted(separator), part])))
}

const empty = trusted('')

function concat(parts: readonly SqlFragment[]): SqlFragment {
  const strings = ['']
  const values: SqlValue[] = []
  for (const part of parts) {
    strings[strings.length - 1] += part.strings[0] ?? ''
    for (const [index, value] of part.values.entries()) {
      values.push(value)
      strings.push(part.strings[index + 1] ?? '')
    }
  }
  return { strings, values }
}
