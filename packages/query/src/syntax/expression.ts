import { hintForFunction } from '../functions/functions.ts'
import type { Expression, Path, Step } from '../language/ast.ts'
import { functionNamed } from '../language/names.ts'
import type { ArithmeticOperator, ComparisonOperator, Scalar } from '../language/values.ts'
import { type Cursor, maxNesting } from './cursor.ts'
import type { Token } from './lexer.ts'

/** An expression up to the first token that cannot continue it. Its names are not yet checked. @throws QueryError */
export function parseExpression(cursor: Cursor): Expression {
  return parseConnected(cursor, 'or', () => parseConnected(cursor, 'and', () => parseNot(cursor)))
}

// A chain of any length is one flat node: hundreds of alternatives do not nest.
function parseConnected(cursor: Cursor, kind: 'and' | 'or', parseOperand: () => Expression): Expression {
  const first = parseOperand()
  const operands = [first]
  while (cursor.acceptWord(kind.toUpperCase()) !== undefined) operands.push(parseOperand())
  return operands.length === 1 ? first : { kind, operands, at: first.at }
}

function parseNot(cursor: Cursor): Expression {
  const not = cursor.acceptWord('NOT')
  if (not === undefined) return parseComparison(cursor)
  return { kind: 'not', operand: cursor.nested(() => parseNot(cursor)), at: not.at }
}

const comparisons: ReadonlyMap<string, ComparisonOperator> = new Map([
  ['=', '='],
  ['!=', '!='],
  ['<>', '!='],
  ['<', '<'],
  ['>', '>'],
  ['<=', '<='],
  ['>=', '>='],
])

function parseComparison(cursor: Cursor): Expression {
  const left = parseSum(cursor)
  const comparison = parseComparisonOf(cursor, left)
  if (isComparisonAhead(cursor)) {
    throw cursor.fault({ expected: 'AND, OR or the end', hint: 'Comparisons do not chain: join two with AND.' })
  }
  return comparison
}

function parseComparisonOf(cursor: Cursor, left: Expression): Expression {
  const { text, at } = cursor.peek()
  const operator = comparisons.get(text)
  if (operator !== undefined) {
    cursor.next()
    return { kind: 'comparison', operator, left, right: parseSum(cursor), at }
  }
  const membership = cursor.acceptWord('IN', 'NIN')
  if (membership !== undefined) {
    const isNegated = membership.text.toUpperCase() === 'NIN'
    return { kind: 'membership', isNegated, operand: left, values: parseList(cursor), at }
  }
  return left
}

function isComparisonAhead(cursor: Cursor): boolean {
  const { kind, text } = cursor.peek()
  return kind === 'word' ? /^n?in$/i.test(text) : comparisons.has(text)
}

function parseList(cursor: Cursor): ReadonlySet<Scalar> {
  cursor.expectSymbol('[', "A list is written in brackets: IN ['a', 'b'].")
  const values = new Set<Scalar>()
  do {
    values.add(parseListItem(cursor))
  } while (cursor.acceptSymbol(',') !== undefined)
  cursor.expectSymbol(']')
  return values
}

function parseListItem(cursor: Cursor): Scalar {
  const isNegative = cursor.acceptSymbol('-') !== undefined
  const token = cursor.next()
  if (token.kind === 'number') return isNegative ? -token.value : token.value
  if (isNegative) throw cursor.fault({ expected: 'a number' }, token)
  const value = constantOf(token)
  if (value === undefined) throw cursor.fault({ expected: 'a number, a string, true, false or null' }, token)
  return value
}

const sums: ReadonlyMap<string, ArithmeticOperator> = new Map([
  ['+', '+'],
  ['-', '-'],
])
const products: ReadonlyMap<string, ArithmeticOperator> = new Map([
  ['*', '*'],
  ['/', '/'],
  ['%', '%'],
])

function parseSum(cursor: Cursor): Expression {
  return parseArithmetic(cursor, sums, () => parseArithmetic(cursor, products, () => parseSigned(cursor)))
}

function parseArithmetic(
  cursor: Cursor,
  operators: ReadonlyMap<string, ArithmeticOperator>,
  parseOperand: () => Expression,
): Expression {
  let left = parseOperand()
  for (;;) {
    const { text, at } = cursor.peek()
    const operator = operators.get(text)
    if (operator === undefined) return left
    cursor.next()
    left = { kind: 'arithmetic', operator, left, right: parseOperand(), at }
  }
}

function parseSigned(cursor: Cursor): Expression {
  const minus = cursor.acceptSymbol('-')
  if (minus === undefined) return parsePrimary(cursor)
  const operand = parsePrimary(cursor)
  if (operand.kind === 'constant' && typeof operand.value === 'number') return { ...operand, value: -operand.value }
  return {
    kind: 'arithmetic',
    operator: '-',
    left: { kind: 'constant', value: 0, at: minus.at },
    right: operand,
    at: minus.at,
  }
}

/** Words that neither begin a path nor name an item or a source. The further names of a path may be any word. */
export function isReserved(text: string): boolean {
  return /^(?:select|distinct|top|from|where|group|by|as|and|or|not|in|nin|true|false|null|undefined)$/i.test(text)
}

function parsePrimary(cursor: Cursor): Expression {
  const { at } = cursor.peek()
  if (cursor.acceptSymbol('(') !== undefined) {
    const expression = cursor.nested(() => parseExpression(cursor))
    cursor.expectSymbol(')')
    return expression
  }
  const token = cursor.next()
  if (token.kind === 'word' && /^undefined$/i.test(token.text)) return { kind: 'constant', value: undefined, at }
  const value = constantOf(token)
  if (value !== undefined) return { kind: 'constant', value, at }
  if (token.kind !== 'word' || isReserved(token.text)) {
    throw cursor.fault({ expected: 'a member, a constant, a function or (' }, token)
  }
  return cursor.acceptSymbol('(') === undefined ? parsePath(cursor, token) : parseCall(cursor, token)
}

function constantOf(token: Token): Scalar | undefined {
  if (token.kind === 'number' || token.kind === 'string') return token.value
  if (token.kind !== 'word') return undefined
  switch (token.text.toLowerCase()) {
    case 'true':
      return true
    case 'false':
      return false
    case 'null':
      return null
    default:
      return undefined
  }
}

function parseCall(cursor: Cursor, token: Token): Expression {
  const { text, at } = token
  const name = functionNamed(text)
  if (name === undefined) {
    throw cursor.fault({ expected: 'a function of the language', hint: hintForFunction(text) }, token)
  }
  const operands: Expression[] = []
  if (cursor.acceptSymbol(')') !== undefined) return { kind: 'call', name, operands, at }
  do {
    operands.push(cursor.nested(() => parseExpression(cursor)))
  } while (cursor.acceptSymbol(',') !== undefined)
  cursor.expectSymbol(')')
  return { kind: 'call', name, operands, at }
}

/** A path, where no other expression is allowed. */
export function parseMember(cursor: Cursor, hint: string): Path {
  const token = cursor.next()
  if (token.kind !== 'word' || isReserved(token.text)) throw cursor.fault({ expected: 'a member', hint }, token)
  return parsePath(cursor, token)
}

function parsePath(cursor: Cursor, { text: root, at }: Token): Path {
  const steps: Step[] = []
  for (;;) {
    const step = parseStep(cursor)
    if (step === undefined) return { kind: 'path', root, steps, at }
    steps.push(step)
    if (steps.length > maxNesting) throw cursor.fault({ expected: `at most ${maxNesting} steps in a path` })
  }
}

function parseStep(cursor: Cursor): Step | undefined {
  if (cursor.acceptSymbol('.') !== undefined) {
    const token = cursor.next()
    if (token.kind === 'word') return token.text
    if (token.kind === 'escaped') return token.value
    throw cursor.fault({ expected: 'a name', hint: hintsBehindDot.get(token.text) ?? inBrackets }, token)
  }
  if (cursor.peek().kind === 'escaped') throw cursor.fault({ expected: 'a dot before a name in double brackets' })
  if (cursor.acceptSymbol('[') === undefined) return undefined
  const token = cursor.next()
  const isIndex = token.kind === 'number' && /^[0-9]+$/.test(token.text)
  if (token.kind !== 'string' && !isIndex) throw cursor.fault({ expected: 'a name in quotes or an index' }, token)
  cursor.expectSymbol(']')
  return token.value
}

const inBrackets = "Other names are written in brackets: ['line-no']."
const hintsBehindDot: ReadonlyMap<string, string> = new Map([
  ['[', "Brackets have no dot before them: tags['line-no']."],
  ['*', 'Whole documents are * alone: SELECT * FROM devices.'],
])
