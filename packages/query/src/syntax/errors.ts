/** A query text, and the length of the text that positions count before it. */
export interface QueryText {
  readonly text: string
  /** Columns before the text on its first line: the condition of a job counts as the rest of a longer query. */
  readonly leadColumns: number
}

/** What went wrong at one place of a text. */
export interface Fault {
  readonly found: string
  readonly expected: string
  /** What to write instead of a construct of other SQL dialects. */
  readonly hint?: string | undefined
}

/** A text that is no query. Line and column are 1-based and point at what was found. */
export class QueryError extends Error {
  override readonly name = 'QueryError'
  readonly line: number
  readonly column: number
  readonly found: string
  readonly expected: string
  readonly hint: string | undefined

  constructor(position: { readonly line: number; readonly column: number }, { found, expected, hint }: Fault) {
    const advice = hint === undefined ? '' : ` ${hint}`
    super(
      `SQL query parse failed due to following errors: \n\tLine ${position.line}:${position.column} found ${found}, expected ${expected}.${advice}`,
    )
    this.line = position.line
    this.column = position.column
    this.found = found
    this.expected = expected
    this.hint = hint
  }
}

/** The error for the character at offset `at` of the text. */
export function faultAt(input: QueryText, at: number, fault: Fault): QueryError {
  const before = input.text.slice(0, at)
  const line = before.split('\n').length
  const column = at - (before.lastIndexOf('\n') + 1) + 1
  return new QueryError({ line, column: line === 1 ? column + input.leadColumns : column }, fault)
}

const shownLength = 40

/** Text of the caller as it appears in a message: quoted, and clipped when long. */
export function quote(text: string): string {
  return text.length > shownLength ? `"${text.slice(0, shownLength)}..."` : `"${text}"`
}
