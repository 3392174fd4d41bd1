import { type Fault, faultAt, type QueryText, quote } from './errors.ts'
import { hintFor } from './hints.ts'
import { type Token, tokenize } from './lexer.ts'

/** How deep parentheses, NOTs, calls, operators and steps of a path may nest. Real conditions have a few levels. */
export const maxNesting = 64

type Expected = Omit<Fault, 'found'>

/** A place in the tokens of a text. */
export interface Cursor {
  readonly peek: () => Token
  readonly next: () => Token
  /** The next token, if it is one of these. Words match in any letter case. */
  readonly acceptWord: (...words: readonly string[]) => Token | undefined
  readonly acceptSymbol: (...symbols: readonly string[]) => Token | undefined
  readonly expectWord: (word: string) => Token
  readonly expectSymbol: (symbol: string, hint?: string) => Token
  /** The error for the next token, or for the given one. A hint about the token itself wins over the given hint. */
  readonly fault: (expected: Expected, token?: Token) => Error
  /** Runs a parse one level deeper. All recursion of the grammar comes through here, so the stack is bounded. */
  readonly nested: <Node>(parse: () => Node) => Node
}

/** @throws QueryError for a literal or a comment that is not well formed. */
export function openCursor(input: QueryText): Cursor {
  const tokens = tokenize(input)
  let index = 0
  let nesting = 0

  const peek = (): Token => tokens[index] ?? { kind: 'end', text: '', at: input.text.length }
  const next = (): Token => {
    const token = peek()
    index += 1
    return token
  }
  const accept = (kind: Token['kind'], texts: readonly string[]): Token | undefined => {
    const { kind: actual, text } = peek()
    return actual === kind && texts.includes(text.toUpperCase()) ? next() : undefined
  }
  const found = ({ kind, text }: Token): string => (kind === 'end' ? 'the end of the text' : quote(text))
  const fault = ({ expected, hint }: Expected, token = peek()): Error => {
    const ownHint = hintFor(token, tokens[tokens.indexOf(token) - 1], input)
    return faultAt(input, token.at, { found: found(token), expected, hint: ownHint ?? hint })
  }
  const orFault = (token: Token | undefined, expected: Expected): Token => {
    if (token === undefined) throw fault(expected)
    return token
  }

  return {
    peek,
    next,
    fault,
    acceptWord: (...words) => accept('word', words),
    acceptSymbol: (...symbols) => accept('symbol', symbols),
    expectWord: (word) => orFault(accept('word', [word]), { expected: word }),
    expectSymbol: (symbol, hint) => orFault(accept('symbol', [symbol]), { expected: symbol, hint }),
    nested: (parse) => {
      if (nesting === maxNesting) {
        throw faultAt(input, peek().at, { found: found(peek()), expected: `at most ${maxNesting} levels of nesting` })
      }
      nesting += 1
      const node = parse()
      nesting -= 1
      return node
    },
  }
}
