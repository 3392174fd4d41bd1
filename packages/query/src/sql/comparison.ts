import { type ComparisonOperator, compare } from '../language/values.ts'
import { columnSql } from '../operands/columns.ts'
import { bind, join, type SqlFragment, sql, trusted } from '../operands/fragment.ts'
import {
  doubleOf,
  holdsNul,
  instantOf,
  numericOf,
  type Operand,
  scalarOf,
  textOf,
  truth,
  truthSql,
  unknown,
} from '../operands/operand.ts'

/** `compare` of values.ts in SQL: a boolean, NULL where the comparison is undefined. */
export function compareOperands(operator: ComparisonOperator, left: Operand, right: Operand): Operand {
  if (left.kind === 'constant') {
    if (right.kind === 'constant') return { kind: 'constant', value: compare(operator, left.value, right.value) }
    return compareOperands(mirrored[operator], right, left)
  }
  const asValues =
    operator === '=' || operator === '!=' ? equality(operator, left, right) : order(operator, left, right)
  if (!isInstant(left) && !isInstant(right)) return asValues

  const [leftInstant, rightInstant] = [instantOf(left), instantOf(right)]
  if (leftInstant === undefined || rightInstant === undefined) return asValues
  const isOrderOfTwoInstants = right.kind === 'constant' && operator !== '=' && operator !== '!='
  if (isOrderOfTwoInstants) return truth(sql`(${leftInstant} ${symbols[operator]} ${rightInstant})`)
  return truth(sql`coalesce(${leftInstant} ${symbols[operator]} ${rightInstant}, ${truthSql(asValues)})`)
}

const mirrored: Record<ComparisonOperator, ComparisonOperator> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '>': '<',
  '<=': '>=',
  '>=': '<=',
}

const symbols: Record<ComparisonOperator, SqlFragment> = {
  '=': trusted('='),
  '!=': trusted('<>'),
  '<': trusted('<'),
  '>': trusted('>'),
  '<=': trusted('<='),
  '>=': trusted('>='),
}

function isInstant(operand: Operand): boolean {
  return operand.kind === 'plain' && operand.column.kind === 'instant'
}

// Without objects and arrays, equality of jsonb is the typed equality of the language.
function equality(operator: '=' | '!=', left: Operand, right: Operand): Operand {
  if (left.kind === 'plain' && left.column.kind === 'text' && isText(right)) {
    const [column, text] = [columnSql(left.column), bind(right.value, 'text')]
    if (left.column.undefinedWhenNull === true) return truth(sql`(${column} ${symbols[operator]} ${text})`)
    return truth(
      operator === '=' ? sql`(${column} is not distinct from ${text})` : sql`(${column} is distinct from ${text})`,
    )
  }
  const isDouble = left.kind === 'double' || right.kind === 'double'
  const [leftScalar, rightScalar] = isDouble ? [rounded(left), rounded(right)] : [scalarOf(left), scalarOf(right)]
  return truth(sql`(${leftScalar} ${symbols[operator]} ${rightScalar})`)
}

function isText(operand: Operand): operand is { readonly kind: 'constant'; readonly value: string } {
  return operand.kind === 'constant' && typeof operand.value === 'string' && !holdsNul(operand.value)
}

// Compared with a result of arithmetic, every number goes through float8, so that both sides are rounded and printed alike.
function rounded(operand: Operand): SqlFragment {
  const number = doubleOf(operand)
  if (number === undefined) return scalarOf(operand)
  const isAlwaysNumber = operand.kind === 'constant' || operand.kind === 'double'
  return isAlwaysNumber ? sql`to_jsonb(${number})` : sql`coalesce(to_jsonb(${number}), ${scalarOf(operand)})`
}

function order(operator: ComparisonOperator, left: Operand, right: Operand): Operand {
  if (right.kind === 'constant' && holdsNul(right.value)) {
    const isBelow = operator === '<' || operator === '<='
    return order(isBelow ? '<' : '>=', left, { kind: 'constant', value: leastAboveNul(right.value) })
  }
  const orders = [orderOfNumbers(operator, left, right), orderOfTexts(operator, left, right)]
  const possible = orders.filter((fragment) => fragment !== undefined)
  return possible.length === 0 ? unknown : truth(sql`coalesce(${join(possible, ', ')})`)
}

// No text of a row holds NUL, so none lies between 'ab\0...' and 'ab\1'.
function leastAboveNul(text: string): string {
  return `${text.slice(0, text.indexOf('\0'))}\u0001`
}

function orderOfNumbers(operator: ComparisonOperator, left: Operand, right: Operand): SqlFragment | undefined {
  const isDouble = left.kind === 'double' || right.kind === 'double'
  const [leftNumber, rightNumber] = isDouble ? [doubleOf(left), doubleOf(right)] : [numericOf(left), numericOf(right)]
  if (leftNumber === undefined || rightNumber === undefined) return undefined
  return sql`${leftNumber} ${symbols[operator]} ${rightNumber}`
}

// Collation "C" is the order of code points in a UTF-8 database, whatever its locale.
function orderOfTexts(operator: ComparisonOperator, left: Operand, right: Operand): SqlFragment | undefined {
  const [leftText, rightText] = [textOf(left), textOf(right)]
  if (leftText === undefined || rightText === undefined) return undefined
  return sql`(${leftText}) collate "C" ${symbols[operator]} (${rightText}) collate "C"`
}
