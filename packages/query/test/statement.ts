import type { SqlFragment, SqlValue } from '@muster/query'

/** The text of a fragment with numbered parameters; its values join those that the statement has already. */
export function numbered(fragment: SqlFragment, values: SqlValue[]): string {
  return fragment.strings.reduce((text, part, index) => {
    values.push(fragment.values[index - 1] ?? null)
    return `${text}$${values.length}${part}`
  })
}
