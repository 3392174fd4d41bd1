export const colours = {
  text: '#1f2933',
  faint: '#6b7785',
  grid: '#e3e7eb',
  frame: '#d5dbe1',
  green: '#2f855a',
  red: '#d92d20',
} as const

/** Of lines, in their order. The eleventh line has the colour of the first. */
const lineColours = [
  '#3f9142',
  '#d9a400',
  '#3274d9',
  '#e8730c',
  '#c4314b',
  '#8f4fbf',
  '#1c9ca6',
  '#8a6d3b',
  '#e377a8',
  '#5c6773',
] as const

export function lineColour(index: number): string {
  return lineColours[index % lineColours.length] ?? colours.text
}

/** A corner of the picture, and a size, in pixels. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

interface TextStyle {
  readonly size?: number
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly colour?: string
  readonly bold?: boolean
}

export function drawText(x: number, y: number, text: string, style: TextStyle = {}): string {
  const attributes = [
    style.size === undefined ? '' : ` font-size="${style.size}"`,
    style.anchor === undefined || style.anchor === 'start' ? '' : ` text-anchor="${style.anchor}"`,
    style.colour === undefined ? '' : ` fill="${style.colour}"`,
    style.bold ? ' font-weight="bold"' : '',
  ]
  return `<text x="${round(x)}" y="${round(y)}"${attributes.join('')}>${escapeText(text)}</text>`
}

/** A tenth of a pixel is finer than anybody sees, and keeps the files small. */
export function round(value: number): number {
  return Math.round(value * 10) / 10
}

export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** About: which font a reader has is not known. Measured on DejaVu Sans, which is wider than most. */
export function widthOf(text: string, size: number): number {
  const widths = Array.from(text, (letter) =>
    /[ijltfr .,:;/()-]/.test(letter) ? 0.36 : /[mwMW]/.test(letter) ? 0.95 : 0.64,
  )
  return size * widths.reduce((sum, width) => sum + width, 0)
}
