import type { Token } from './lexer.ts'

/** What to write instead of something that other dialects of SQL have and this language lacks. */
export function hintFor(token: Token, before: Token | undefined): string | undefined {
  if (token.kind === 'word' || token.kind === 'symbol') return hints.get(token.text.toUpperCase())
  const isDoubledQuote =
    before?.kind === 'string' && token.kind === 'string' && before.at + before.text.length === token.at
  return isDoubledQuote ? "A quote inside a string is written \\'." : undefined
}

const hints: ReadonlyMap<string, string> = new Map([
  ['LIKE', "There is no LIKE: use STARTSWITH(member, 'text') or ENDSWITH(member, 'text')."],
  ['BETWEEN', 'There is no BETWEEN: write member >= low AND member <= high.'],
  ['NOT', 'There is no NOT IN: write member NIN [...], or put NOT in front of the comparison.'],
  ['IS', 'There is no IS: use IS_DEFINED(member) or IS_NULL(member).'],
  ['EXISTS', 'There is no EXISTS: use IS_DEFINED(member).'],
  ['ORDER', 'There is no ORDER BY: rows come ordered by their ids.'],
  ['OFFSET', 'There is no OFFSET: follow the continuation token to the next page.'],
  ['LIMIT', 'There is no LIMIT: ask for a page with the header x-ms-max-item-count.'],
  ['JOIN', 'There is no JOIN: a query has one source.'],
  ['DISTINCT', 'There is no DISTINCT.'],
  ['HAVING', 'There is no HAVING.'],
  ['GROUP', 'GROUP BY is not supported.'],
  ['TOP', 'TOP is not supported: ask for a page with the header x-ms-max-item-count.'],
  ['SELECT', 'A condition is only what stands after WHERE.'],
  ['WHERE', 'A condition is only what stands after WHERE.'],
  ['==', 'Equality is written with one sign: =.'],
  ['&&', 'Write AND.'],
  ['||', 'Write OR; texts cannot be joined.'],
  ['!', 'Write NOT.'],
  ['?', 'There is no conditional operator.'],
  ['??', 'There is no ?? operator: use IS_DEFINED(member).'],
  [';', 'A query ends without a semicolon.'],
])
