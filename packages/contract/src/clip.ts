/** Shortens a text of the caller for an error message. */
export function clip(text: string, length = 140): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`
}
