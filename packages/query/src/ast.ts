import type { FunctionName } from './functions.ts'
import type { ArithmeticOperator, ComparisonOperator, Scalar } from './values.ts'

/** `at` is the offset of the node in the text it was parsed from. */
export type Expression =
  | Constant
  | Path
  | { readonly kind: 'not'; readonly operand: Expression; readonly at: number }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Expression[]; readonly at: number }
  | Comparison
  | Membership
  | Arithmetic
  | Call

interface Constant {
  readonly kind: 'constant'
  readonly value: Scalar | undefined
  readonly at: number
}

/** A member of the row and the way down from it: a string steps into an object, a number into an array. */
export interface Path {
  readonly kind: 'path'
  readonly root: string
  readonly steps: readonly Step[]
  readonly at: number
}

export type Step = string | number

export interface Comparison {
  readonly kind: 'comparison'
  readonly operator: ComparisonOperator
  readonly left: Expression
  readonly right: Expression
  readonly at: number
}

/** IN, or NIN when `isNegated`. */
export interface Membership {
  readonly kind: 'membership'
  readonly isNegated: boolean
  readonly operand: Expression
  /** A set: its equality is the language's typed equality, since no constant is NaN. */
  readonly values: ReadonlySet<Scalar>
  readonly at: number
}

export interface Arithmetic {
  readonly kind: 'arithmetic'
  readonly operator: ArithmeticOperator
  readonly left: Expression
  readonly right: Expression
  readonly at: number
}

export interface Call {
  readonly kind: 'call'
  readonly name: FunctionName
  readonly operands: readonly Expression[]
  readonly at: number
}

export type Source = 'devices' | 'devices.jobs'

/** `where: null` is every row. */
export interface Query {
  readonly source: Source
  readonly where: Expression | null
}
