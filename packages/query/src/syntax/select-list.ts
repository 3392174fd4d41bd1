import type { Expression, Path } from '../language/ast.ts'
import { type AggregateName, aggregateNamed, aggregateNames } from '../language/names.ts'
import type { Cursor } from './cursor.ts'
import { isReserved, parseExpression, parseMember } from './expression.ts'

/** The part between SELECT and FROM. */
export interface SelectList {
  readonly top: number | null
  /** Null: `*`. */
  readonly items: readonly WrittenItem[] | null
}

/** `at` and `end` are offsets in the text. */
export interface WrittenItem {
  readonly value: Expression | WrittenAggregate
  /** The name after AS. */
  readonly name: string | null
  readonly at: number
  readonly end: number
}

export interface WrittenAggregate {
  readonly kind: 'aggregate'
  readonly aggregate: AggregateName
  readonly operand: Path | null
}

/**
 * Items and keys together. A function of Postgres takes at most 100 arguments, and the aggregates of a row are the arguments of one
 * function. Nobody needs nearly as many.
 */
export const maxItems = 64

/** `[TOP n] *` or `[TOP n] item, ...`, up to FROM, which comes next. @throws QueryError */
export function parseSelectList(cursor: Cursor): SelectList {
  const top = parseTop(cursor)
  const items = cursor.acceptSymbol('*') === undefined ? parseItems(cursor) : null
  const { kind, text } = cursor.peek()
  if (kind === 'word' && text.toUpperCase() === 'FROM') return { top, items }
  if (items === null) throw cursor.fault({ expected: 'FROM', hint: text === ',' ? starAlone : undefined })
  const last = items.at(-1)
  const isPartOfMore = kind === 'symbol' && last?.value.kind === 'aggregate'
  throw cursor.fault({
    expected: last?.name === null ? 'AS, a comma or FROM' : 'a comma or FROM',
    hint: kind === 'word' ? 'A name stands behind AS.' : isPartOfMore ? aggregateAlone : undefined,
  })
}

const starAlone = '* stands alone in a select list.'
const aggregateAlone = 'An aggregate is an item of its own, no part of an expression.'

function parseTop(cursor: Cursor): number | null {
  if (cursor.acceptWord('TOP') === undefined) return null
  const token = cursor.next()
  const isCount = token.kind === 'number' && /^[0-9]+$/.test(token.text)
  if (isCount && token.value >= 1 && Number.isSafeInteger(token.value)) return token.value
  const hint = token.text === '(' ? 'TOP is written without parentheses.' : undefined
  throw cursor.fault({ expected: `a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`, hint }, token)
}

function parseItems(cursor: Cursor): readonly WrittenItem[] {
  const items: WrittenItem[] = []
  do {
    if (items.length === maxItems) throw cursor.fault({ expected: `at most ${maxItems} items` })
    items.push(parseItem(cursor, items.length === 0))
  } while (cursor.acceptSymbol(',') !== undefined)
  return items
}

function parseItem(cursor: Cursor, isFirst: boolean): WrittenItem {
  const { kind, text, at } = cursor.peek()
  if (kind === 'end' || text === '*' || /^from$/i.test(text)) {
    const expected = `${isFirst ? '* or ' : ''}a member, an aggregate or another expression`
    throw cursor.fault({ expected, hint: text === '*' ? starAlone : undefined })
  }
  const value = parseAggregate(cursor) ?? parseExpression(cursor)
  const end = cursor.peek().at
  return { value, name: cursor.acceptWord('AS') === undefined ? null : parseName(cursor), at, end }
}

function parseName(cursor: Cursor): string {
  const token = cursor.next()
  if (token.kind === 'word' && !isReserved(token.text)) return token.text
  const hint = 'A name is made of letters, digits, _ and $, and is no reserved word.'
  throw cursor.fault({ expected: 'a name', hint }, token)
}

// No member has the name of an aggregate. So such a name without parentheses is an aggregate that lacks them.
function parseAggregate(cursor: Cursor): WrittenAggregate | undefined {
  const token = cursor.acceptWord(...aggregateNames)
  const aggregate = token && aggregateNamed(token.text)
  if (aggregate === undefined) return undefined
  cursor.expectSymbol('(', 'Aggregates are written COUNT() and AVG(member).')
  return { kind: 'aggregate', aggregate, operand: parseOperand(cursor, aggregate) }
}

function parseOperand(cursor: Cursor, aggregate: AggregateName): Path | null {
  const isCount = aggregate === 'COUNT'
  if (isCount && cursor.acceptSymbol(')') !== undefined) return null
  const isStar = isCount && cursor.acceptSymbol('*') !== undefined
  const hint = isCount ? 'COUNT() counts rows, COUNT(member) those that have it.' : 'It is the aggregate of one member.'
  const operand = isStar ? null : parseMember(cursor, hint)
  cursor.expectSymbol(')', 'An aggregate takes one member, no expression.')
  return operand
}
