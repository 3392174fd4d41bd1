import type { Expression, Path, Source } from '../language/ast.ts'
import { isMember, type Scope } from '../language/members.ts'
import { type Cursor, openCursor } from './cursor.ts'
import type { QueryText } from './errors.ts'
import { isReserved, parseExpression, parseMember } from './expression.ts'
import { hintFor } from './hints.ts'
import { parseSelectList, type SelectList } from './select-list.ts'

/** A query as it is written. Its names, and whether its parts fit together, are not yet checked. */
export interface WrittenQuery extends SelectList, Scope {
  readonly where: Expression | null
  readonly groupBy: GroupBy | null
}

interface GroupBy {
  readonly keys: readonly Path[]
  /** The offset of GROUP. */
  readonly at: number
}

/** `SELECT [TOP n] list FROM source [[AS] alias] [WHERE expression] [GROUP BY path, ...]`. @throws QueryError */
export function parseQueryText(input: QueryText): WrittenQuery {
  const cursor = openCursor(input)
  cursor.expectWord('SELECT')
  const list = parseSelectList(cursor)
  cursor.expectWord('FROM')
  const source = parseSource(cursor)
  const alias = parseAlias(cursor, source)
  const where = cursor.acceptWord('WHERE') === undefined ? null : parseExpression(cursor)
  const groupBy = parseGroupBy(cursor)
  if (groupBy !== null) expectEnd(cursor, 'a comma or the end of the query', membersOnly)
  expectEnd(cursor, where === null ? 'WHERE, GROUP BY or the end of the query' : 'an operator, GROUP BY or the end')
  return { ...list, source, alias, where, groupBy }
}

/** What may stand after WHERE, or `*` alone, which is every row: null. Its names are not yet checked. @throws QueryError */
export function parseConditionText(input: QueryText): Expression | null {
  const cursor = openCursor(input)
  const where = cursor.acceptSymbol('*') === undefined ? parseExpression(cursor) : null
  expectEnd(cursor, where === null ? 'the end of the condition' : 'an operator or the end')
  return where
}

function expectEnd(cursor: Cursor, expected: string, hint?: string): void {
  if (cursor.peek().kind !== 'end') throw cursor.fault({ expected, hint })
}

function parseSource(cursor: Cursor): Source {
  const known = { expected: 'devices, devices.modules or devices.jobs' }
  if (cursor.acceptWord('DEVICES') === undefined) throw cursor.fault(known)
  if (cursor.acceptSymbol('.') === undefined) return 'devices'
  const inner = cursor.acceptWord('MODULES', 'JOBS')
  if (inner === undefined) throw cursor.fault(known)
  return inner.text.toUpperCase() === 'MODULES' ? 'devices.modules' : 'devices.jobs'
}

// Without AS, a word of other SQL dialects is no alias: for ORDER in `FROM devices ORDER BY` the error says what to write instead.
function parseAlias(cursor: Cursor, source: Source): string | null {
  const isAnnounced = cursor.acceptWord('AS') !== undefined
  const token = cursor.peek()
  const isName = token.kind === 'word' && !isReserved(token.text)
  if (!isAnnounced && (!isName || hintFor(token) !== undefined)) return null
  if (!isName) throw cursor.fault({ expected: 'an alias, which is a name and no reserved word' })
  if (isMember(token.text, source)) {
    const hint = `${token.text} is a member: behind it, ${token.text}.x would mean two things.`
    throw cursor.fault({ expected: `an alias that is no member of ${source}`, hint })
  }
  cursor.next()
  return token.text
}

const membersOnly = 'GROUP BY takes members, no expressions.'

function parseGroupBy(cursor: Cursor): GroupBy | null {
  const group = cursor.acceptWord('GROUP')
  if (group === undefined) return null
  cursor.expectWord('BY')
  const keys: Path[] = []
  do {
    keys.push(parseMember(cursor, membersOnly))
  } while (cursor.acceptSymbol(',') !== undefined)
  return { keys, at: group.at }
}
