/**
 * A text from elsewhere, for a line on a terminal. A control character in it could clear the screen, or write what the hub never said; a
 * row of them becomes one space.
 */
export function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
}
