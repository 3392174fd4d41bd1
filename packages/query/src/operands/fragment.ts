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

/** Template tag: joins fragments to one. Its holes take only fragments. */
export function sql(strings: TemplateStringsArray, ...parts: readonly SqlFragment[]): SqlFragment {
  const [first = '', ...others] = strings
  return concat(first, parts, (index) => others[index] ?? '')
}

/** SQL from the program itself, never from a query text. */
export function trusted(text: string): SqlFragment {
  return { strings: [text], values: [] }
}

/** A bind parameter. It is bound as text and cast by the server, because drivers convert other types in different ways. */
export function bind(
  text: string,
  type: 'text' | 'jsonb' | 'jsonpath' | 'numeric' | 'float8' | 'timestamptz',
): SqlFragment {
  return { strings: ['', type === 'text' ? '::text' : `::text::${type}`], values: [text] }
}

/** A list as one bind parameter. */
export function bindList(texts: readonly string[], type: 'text' | 'jsonb' | 'float8'): SqlFragment {
  return { strings: ['', type === 'text' ? '::text[]' : `::text[]::${type}[]`], values: [texts] }
}

export function join(parts: readonly SqlFragment[], separator: string): SqlFragment {
  return concat('', parts, (index) => (index < parts.length - 1 ? separator : ''))
}

/** `first`, then each part with the text that follows it. */
function concat(first: string, parts: readonly SqlFragment[], behind: (index: number) => string): SqlFragment {
  const strings = [first]
  const values: SqlValue[] = []
  for (const [index, part] of parts.entries()) {
    const [head = '', ...others] = part.strings
    strings[strings.length - 1] += head
    strings.push(...others)
    strings[strings.length - 1] += behind(index)
    values.push(...part.values)
  }
  return { strings, values }
}
