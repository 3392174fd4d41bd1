import type { Json } from '@muster/contract'

export type Scalar = string | number | boolean | null
/** The value of an expression: any JSON, or undefined where there is nothing. */
export type Value = Json | undefined

/** A question about a missing member gives the third value, `undefined`. Only `true` selects a row. */
export type Truth = boolean | undefined

/** Named as Postgres' jsonb_typeof names them. */
export type ValueType = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object'

export function typeOf(value: Json): ValueType {
  if (value === null) return 'null'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value === 'number') return 'number'
  if (typeof value === 'string') return 'string'
  return Array.isArray(value) ? 'array' : 'object'
}

export type ComparisonOperator = '=' | '!=' | '<' | '>' | '<=' | '>='
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%'

/** Objects and arrays do not compare, with anything. */
export function isScalar(value: Value): value is Scalar {
  return value !== undefined && (value === null || typeof value !== 'object')
}

/** Equality compares types too. Only two numbers or two strings have an order. Anything else is undefined. */
export function compare(operator: ComparisonOperator, left: Value, right: Value): Truth {
  if (!isScalar(left) || !isScalar(right)) return undefined
  if (operator === '=') return left === right
  if (operator === '!=') return left !== right
  if (typeof left === 'number' && typeof right === 'number') return holds(operator, left, right)
  if (typeof left === 'string' && typeof right === 'string') return holds(operator, compareText(left, right), 0)
  return undefined
}

/** Whether `operator` holds between two numbers. */
export function holds<Ordered extends number | bigint>(
  operator: ComparisonOperator,
  left: Ordered,
  right: Ordered,
): boolean {
  switch (operator) {
    case '=':
      return left === right
    case '!=':
      return left !== right
    case '<':
      return left < right
    case '>':
      return left > right
    case '<=':
      return left <= right
    case '>=':
      return left >= right
  }
}

// By code point. That is the order of UTF-8 bytes and of the collation "C" of Postgres. JavaScript compares by UTF-16 unit, which
// differs between a character above U+FFFF and one from U+E000 to U+FFFF.
export function compareText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

/** Magnitudes that arithmetic takes, besides zero: within them no operation on doubles overflows or underflows. */
export const arithmeticRange = { smallest: 1e-150, largest: 1e150 } as const
/** Above it, neighbouring doubles differ by more than 1, and a remainder means nothing. */
export const largestRemainderOperand = 2 ** 53

/** Undefined for anything but two numbers in range, and for division by zero. */
export function calculate(operator: ArithmeticOperator, left: Value, right: Value): number | undefined {
  if (typeof left !== 'number' || typeof right !== 'number' || !isInRange(left) || !isInRange(right)) return undefined
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return right === 0 ? undefined : left / right
    case '%':
      return remainder(left, right)
  }
}

function isInRange(number: number): boolean {
  const magnitude = Math.abs(number)
  return magnitude === 0 || (magnitude >= arithmeticRange.smallest && magnitude <= arithmeticRange.largest)
}

// The remainder of the decimals as they are written: 0.3 % 0.1 is 0. Postgres has a remainder of decimals, but not of doubles.
function remainder(left: number, right: number): number | undefined {
  if (right === 0 || Math.max(Math.abs(left), Math.abs(right)) > largestRemainderOperand) return undefined
  const [a, b] = [decimalOf(left), decimalOf(right)]
  const exponent = Math.min(a.exponent, b.exponent)
  return Number(`${scaledTo(exponent, a) % scaledTo(exponent, b)}e${exponent}`)
}

/** The exact sum of the decimals as they are written, rounded once. Infinite when it is out of the range of a double. */
export function sumOf(numbers: readonly number[]): number {
  const decimals = numbers.map(decimalOf)
  const exponent = decimals.reduce((least, decimal) => Math.min(least, decimal.exponent), 0)
  const sum = decimals.reduce((total, decimal) => total + scaledTo(exponent, decimal), 0n)
  return Number(`${sum}e${exponent}`)
}

interface Decimal {
  readonly digits: bigint
  readonly exponent: number
}

function decimalOf(number: number): Decimal {
  const [mantissa = '0', exponent = '0'] = number.toExponential().split('e')
  const fraction = mantissa.split('.')[1] ?? ''
  return { digits: BigInt(mantissa.replace('.', '')), exponent: Number(exponent) - fraction.length }
}

function scaledTo(exponent: number, { digits, exponent: own }: Decimal): bigint {
  return digits * 10n ** BigInt(own - exponent)
}
