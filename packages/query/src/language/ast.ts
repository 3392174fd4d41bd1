import type { AggregateName, FunctionName } from './names.ts'
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

/** A member of the row and the steps below it: a string steps into an object, a number into an array. */
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
  /** A Set compares as the language does, by type and value, because no constant is NaN. */
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

export type Source = 'devices' | 'devices.modules' | 'devices.jobs'

export interface Query {
  readonly source: Source
  readonly select: Selection
  /** The most rows over all pages together; 1 or more. Null: every row. */
  readonly top: number | null
  /** Null: every row. */
  readonly where: Expression | null
}

export type Selection =
  /** `*`: the documents as they are. */
  | { readonly kind: 'documents' }
  /** A row of these members per document. */
  | Projection
  | Grouping

export interface Projection {
  readonly kind: 'projection'
  readonly items: readonly Item[]
}

/** A row per combination of values of the keys; one row in all when there are no keys. */
export interface Grouping {
  readonly kind: 'grouping'
  readonly keys: readonly Path[]
  readonly items: readonly GroupItem[]
}

export interface Item {
  readonly name: string
  readonly expression: Expression
}

export type GroupItem = GroupKey | GroupAggregate

interface GroupKey {
  readonly kind: 'key'
  readonly name: string
  /** A place in `keys` of the grouping. */
  readonly key: number
}

export interface GroupAggregate {
  readonly kind: 'aggregate'
  readonly name: string
  readonly aggregate: AggregateName
  /** Null: COUNT(), of rows. */
  readonly operand: Path | null
}
