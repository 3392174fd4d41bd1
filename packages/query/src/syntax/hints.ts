import type { QueryText } from './errors.ts'
import type { Token } from './lexer.ts'

/** What to write instead of a construct of other SQL dialects, or of a word in the wrong place. */
export function hintFor(token: Token, before?: Token, input?: QueryText): string | undefined {
  if (token.kind === 'word' || token.kind === 'symbol') {
    const word = token.text.toUpperCase()
    // Only a job's condition has words in front of it.
    return hints.get(word) ?? (input?.leadColumns === 0 ? placesInQuery : placesInCondition).get(word)
  }
  const isDoubledQuote =
    before?.kind === 'string' && token.kind === 'string' && before.at + before.text.length === token.at
  return isDoubledQuote ? "A quote inside a string is written \\'." : undefined
}

const hints: ReadonlyMap<string, string> = new Map([
  ['LIKE', "There is no LIKE: use STARTSWITH(member, 'text') or ENDSWITH(member, 'text')."],
  ['BETWEEN', 'There is no BETWEEN: write member >= low AND member <= high.'],
  ['NOT', 'Write NOT before a whole comparison, and NIN [...] for NOT IN.'],
  ['IS', 'There is no IS: use IS_DEFINED(member) or IS_NULL(member).'],
  ['EXISTS', 'There is no EXISTS: use IS_DEFINED(member).'],
  ['ORDER', 'There is no ORDER BY: rows come ordered by their ids, groups by their keys.'],
  ['OFFSET', 'There is no OFFSET: follow the continuation token to the next page.'],
  ['LIMIT', 'There is no LIMIT: write SELECT TOP 10, or ask for a page with the header x-ms-max-item-count.'],
  ['JOIN', 'There is no JOIN: a query has one source.'],
  ['UNION', 'There is no UNION: a query has one source.'],
  ['DISTINCT', 'There is no DISTINCT: GROUP BY a member gives each of its values once.'],
  ['HAVING', 'There is no HAVING: WHERE selects rows before they are grouped.'],
  ['==', 'Equality is written with one sign: =.'],
  ['&&', 'Write AND.'],
  ['||', 'Write OR; texts cannot be joined.'],
  ['!', 'Write NOT.'],
  ['?', 'There is no conditional operator.'],
  ['??', 'There is no ?? operator: use IS_DEFINED(member).'],
  [';', 'A query ends without a semicolon.'],
])

const placesInQuery: ReadonlyMap<string, string> = new Map([
  ['SELECT', 'There are no queries within a query.'],
  ['TOP', 'TOP comes right after SELECT: SELECT TOP 10 *.'],
  ['WHERE', 'WHERE comes once, between FROM and GROUP BY.'],
  ['GROUP', 'GROUP BY comes once, at the end.'],
])

const wordsOfQueries = 'A condition is only the part after WHERE.'
const placesInCondition: ReadonlyMap<string, string> = new Map([
  ['SELECT', wordsOfQueries],
  ['TOP', 'A condition has no TOP: it means every device that it selects.'],
  ['FROM', wordsOfQueries],
  ['WHERE', wordsOfQueries],
  ['GROUP', 'A condition has no GROUP BY: it selects devices.'],
])
