/** Bounds what a message repeats of a caller's text. */
export function clip(text: string, length = 140): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`
}
