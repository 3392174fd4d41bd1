import { faultAt, type QueryText, quote } from './errors.ts'

/** `value` is the meaning of the token, `text` is how it was written, `at` is its offset in the query text. */
export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly at: number }
  | { readonly kind: 'symbol'; readonly text: string; readonly at: number }
  | { readonly kind: 'number'; readonly text: string; readonly at: number; readonly value: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number; readonly value: string }
  | { readonly kind: 'escaped'; readonly text: string; readonly at: number; readonly value: string }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number }

/**
 * Splits a query text into tokens; the last one is always `end`. Comments and white space are dropped. Symbols that the
 * language does not have (`;`, `==`, ...) become tokens too, so that the parser can say what it expected in their place.
 * @throws QueryError for a literal or a comment that is not well formed.
 */
export function tokenize(input: QueryText): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < input.text.length) {
    const blank = match(blankPattern, input.text, at)
    if (blank !== undefined) {
      at += blank.length
    } else {
      const token = readToken(input, at)
      tokens.push(token)
      at += token.text.length
    }
  }
  return [...tokens, { kind: 'end', text: '', at }]
}

const blankPattern = /\s+|--[^\n]*|\/\*.*?\*\//sy
const wordPattern = /[\p{L}_$][\p{L}\p{Nd}_$]*/uy
const numberPattern = /(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\p{L}\p{Nd}_$])/uy
const stringPattern = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/sy
const escapePattern = /\\(?:(['"\\])|u([0-9a-fA-F]{4})|.)/gsu
const escapedPattern = /\[\[[^\]]+\]\]/y
const symbolPattern = /[<>!]=|<>|==|\|\||&&|\?\?|./suy

function readToken(input: QueryText, at: number): Token {
  const { text } = input
  const word = match(wordPattern, text, at)
  if (word !== undefined) return { kind: 'word', text: word, at }
  if (/[0-9]/.test(text.charAt(at))) return readNumber(input, at)
  if (/['"]/.test(text.charAt(at))) return readString(input, at)
  if (text.startsWith('[[', at)) return readEscaped(input, at)
  if (text.startsWith('/*', at)) throw faultAt(input, at, { found: 'a comment without an end', expected: '*/' })
  return { kind: 'symbol', text: match(symbolPattern, text, at) ?? text.charAt(at), at }
}

function readNumber(input: QueryText, at: number): Token {
  const text = match(numberPattern, input.text, at)
  const expected = 'a number such as 12, 1.5, 2e3 or 0x1F'
  if (text === undefined) {
    const found = match(/[\p{L}\p{Nd}_$]+/uy, input.text, at) ?? ''
    const hint = "A name that begins with a digit is written in brackets: ['2nd']."
    throw faultAt(input, at, { found: quote(found), expected, hint })
  }
  const value = Number(text)
  if (!Number.isFinite(value)) {
    throw faultAt(input, at, { found: quote(text), expected: 'a number that an IEEE double can hold' })
  }
  return { kind: 'number', text, at, value }
}

function readString(input: QueryText, at: number): Token {
  const text = match(stringPattern, input.text, at)
  const mark = input.text.charAt(at)
  if (text === undefined) throw faultAt(input, at, { found: 'a string without an end', expected: `a closing ${mark}` })
  return { kind: 'string', text, at, value: replaceEscapes(input, at, text) }
}

function replaceEscapes(input: QueryText, at: number, text: string): string {
  const replace = (written: string, mark: string | undefined, hex: string | undefined, offset: number) => {
    if (mark !== undefined) return mark
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    throw faultAt(input, at + 1 + offset, {
      found: quote(written),
      expected: `one of the escapes \\' \\" \\\\ \\uXXXX`,
    })
  }
  return wellFormed(input, at, text.slice(1, -1).replace(escapePattern, replace))
}

function readEscaped(input: QueryText, at: number): Token {
  const text = match(escapedPattern, input.text, at)
  if (text === undefined) {
    throw faultAt(input, at, { found: quote('[['), expected: 'a name in double brackets, such as [[line-no]]' })
  }
  return { kind: 'escaped', text, at, value: wellFormed(input, at, text.slice(2, -2)) }
}

// Half of a surrogate pair is no character. No twin can hold it, and UTF-8 cannot carry it to the database.
function wellFormed(input: QueryText, at: number, value: string): string {
  if (!/\p{Surrogate}/u.test(value)) return value
  throw faultAt(input, at, { found: 'half of a surrogate pair', expected: 'both halves, such as \\ud83d\\ude00' })
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}
