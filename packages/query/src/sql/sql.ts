import { functions } from '../functions/functions.ts'
import type { Arithmetic, Call, Expression, Membership } from '../language/ast.ts'
import {
  type ArithmeticOperator,
  arithmeticRange,
  calculate,
  largestRemainderOperand,
  type Scalar,
} from '../language/values.ts'
import type { Columns } from '../operands/columns.ts'
import { bindList, join, type SqlFragment, sql, trusted } from '../operands/fragment.ts'
import { doubleOf, jsonText, type Operand, scalarOf, truth, truthSql, unknown } from '../operands/operand.ts'
import { compareOperands } from './comparison.ts'
import { indexedEquality } from './indexed.ts'
import { operandOfPath, type Reading } from './reading.ts'

export interface CompiledCondition {
  /** A boolean. As a WHERE clause it selects the rows for which the condition is exactly true. */
  readonly sql: SqlFragment
  /** The keys of `columns` that it reads. */
  readonly roots: ReadonlySet<string>
}

/**
 * SQL that selects the rows that `evaluate` accepts. It raises no error, whatever the rows hold: casts and divisions are
 * guarded. Outside of NOT and of operands only true matters. There, equality with constants has a form that a primary key can
 * answer, or a GIN index (`jsonb_path_ops`) on a json column.
 *
 * Run it as an unnamed statement, which is planned for its values. A generic plan casts each list again for every row.
 */
export function compileCondition(where: Expression | null, columns: Columns): CompiledCondition {
  const scope = { columns, roots: new Set<string>() }
  return { sql: where === null ? sql`true` : isTrue(where, scope), roots: scope.roots }
}

/** True when the expression is true; else false or NULL. */
function isTrue(node: Expression, scope: Reading): SqlFragment {
  if (node.kind === 'and' || node.kind === 'or') {
    return connected(
      node.kind,
      node.operands.map((operand) => isTrue(operand, scope)),
    )
  }
  const indexed = indexedEquality(node, scope.columns)
  if (indexed === undefined) return truthSql(operandOf(node, scope))
  scope.roots.add(indexed.key)
  return indexed.sql
}

function operandOf(node: Expression, scope: Reading): Operand {
  switch (node.kind) {
    case 'constant':
      return node
    case 'path':
      return operandOfPath(node, scope)
    case 'not':
      return truth(sql`(not ${truthSql(operandOf(node.operand, scope))})`)
    case 'and':
    case 'or':
      return truth(
        connected(
          node.kind,
          node.operands.map((operand) => truthSql(operandOf(operand, scope))),
        ),
      )
    case 'comparison':
      return compareOperands(node.operator, operandOf(node.left, scope), operandOf(node.right, scope))
    case 'membership':
      return operandOfMembership(node, operandOf(node.operand, scope))
    case 'arithmetic':
      return operandOfArithmetic(node, operandOf(node.left, scope), operandOf(node.right, scope))
    case 'call':
      return operandOfCall(
        node,
        node.operands.map((operand) => operandOf(operand, scope)),
      )
  }
}

// AND, OR and NOT of SQL are those of truth.ts, with NULL for undefined.
function connected(connective: 'and' | 'or', truths: readonly SqlFragment[]): SqlFragment {
  return sql`(${join(truths, ` ${connective} `)})`
}

function operandOfMembership({ values, isNegated }: Membership, operand: Operand): Operand {
  const isFound = isAmong([...values], operand)
  return truth(isNegated ? sql`(not ${isFound})` : isFound)
}

/** Uses the operand once. Repeated for each item of a list, it would bind more parameters than a statement can have. */
function isAmong(constants: readonly Scalar[], operand: Operand): SqlFragment {
  if (operand.kind === 'double') {
    // NaN stands for a constant that is no number, because no arithmetic yields it. With an empty list undefined would become false.
    const numbers = constants.map((constant) => (typeof constant === 'number' ? String(constant) : 'NaN'))
    return sql`(${operand.sql} = any(${bindList(numbers, 'float8')}))`
  }
  const isConstant = operand.kind === 'constant'
  const isInstant = operand.kind === 'plain' && operand.column.kind === 'instant'
  if (!isConstant && !isInstant) return sql`(${scalarOf(operand)} = any(${bindList(constants.map(jsonText), 'jsonb')}))`
  return connected(
    'or',
    constants.map((value) => truthSql(compareOperands('=', operand, { kind: 'constant', value }))),
  )
}

function operandOfCall({ name }: Call, operands: readonly Operand[]): Operand {
  const constants = operands.filter((operand) => operand.kind === 'constant')
  if (constants.length < operands.length) return truth(functions[name].sql(...operands))
  return { kind: 'constant', value: functions[name].evaluate(...constants.map(({ value }) => value)) }
}

/**
 * A scalar subquery that uses the operands once. Repeated, nested operands would double the text at every level. No row means no
 * number. OFFSET 0 stops the planner from copying the operands after all.
 */
function operandOfArithmetic({ operator }: Arithmetic, left: Operand, right: Operand): Operand {
  if (left.kind === 'constant' && right.kind === 'constant') {
    return { kind: 'constant', value: calculate(operator, left.value, right.value) }
  }
  const [leftNumber, rightNumber] = [doubleOf(left), doubleOf(right)]
  if (leftNumber === undefined || rightNumber === undefined) return unknown
  const { result, condition } = calculations[operator]
  const operands = sql`(select ${leftNumber} as l, ${rightNumber} as r offset 0) as operand`
  return { kind: 'double', sql: sql`(select ${result} from ${operands} where ${inRange} and ${condition})` }
}

const { smallest, largest } = arithmeticRange
const inRange = trusted(
  ['l', 'r'].map((name) => `(${name} = 0 or abs(${name}) between ${smallest} and ${largest})`).join(' and '),
)

const calculations: Record<ArithmeticOperator, { readonly result: SqlFragment; readonly condition: SqlFragment }> = {
  '+': { result: sql`l + r`, condition: sql`true` },
  '-': { result: sql`l - r`, condition: sql`true` },
  '*': { result: sql`l * r`, condition: sql`true` },
  '/': { result: sql`l / r`, condition: sql`r <> 0` },
  '%': {
    result: sql`mod(l::text::numeric, r::text::numeric)::float8`,
    condition: trusted(`r <> 0 and greatest(abs(l), abs(r)) <= ${largestRemainderOperand}`),
  },
}
