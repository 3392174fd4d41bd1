import { isJsonObject, type Json } from '@muster/contract'
import { functions } from '../functions/functions.ts'
import type { Comparison, Expression, Membership, Step } from '../language/ast.ts'
import { instantOf } from '../language/instants.ts'
import { isInstant } from '../language/members.ts'
import { connect, not, truthOf } from '../language/truth.ts'
import {
  type ComparisonOperator,
  calculate,
  compare,
  holds,
  isScalar,
  type Scalar,
  type Truth,
  type Value,
} from '../language/values.ts'

/**
 * Whether a condition selects a row: a twin or a device job, as the wire shows it. This is the meaning of the language in readable
 * code. The SQL of `compileCondition` must select the same rows.
 */
export function evaluate(where: Expression | null, document: Json): boolean {
  return where === null || truthOf(valueIn(where, document)) === true
}

/** The value of an expression in a row. */
export function valueIn(node: Expression, document: Json): Value {
  switch (node.kind) {
    case 'constant':
      return node.value
    case 'path':
      return [node.root, ...node.steps].reduce<Value>(step, document)
    case 'not':
      return not(truthOf(valueIn(node.operand, document)))
    case 'and':
    case 'or':
      return connect(
        node.kind,
        node.operands.map((operand) => truthOf(valueIn(operand, document))),
      )
    case 'comparison':
      return compareSides(node, valueIn(node.left, document), valueIn(node.right, document))
    case 'membership':
      return isMember(node, valueIn(node.operand, document))
    case 'arithmetic':
      return calculate(node.operator, valueIn(node.left, document), valueIn(node.right, document))
    case 'call':
      return functions[node.name].evaluate(...node.operands.map((operand) => valueIn(operand, document)))
  }
}

function step(value: Value, name: Step): Value {
  if (typeof name === 'number') return Array.isArray(value) ? value[name] : undefined
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function compareSides({ operator, left, right }: Comparison, leftValue: Value, rightValue: Value): Truth {
  const areInstants = isInstantMember(left) || isInstantMember(right)
  return (
    (areInstants ? compareInstants(operator, leftValue, rightValue) : undefined) ??
    compare(operator, leftValue, rightValue)
  )
}

function isMember({ operand, values, isNegated }: Membership, value: Value): Truth {
  if (!isScalar(value)) return undefined
  const isEqual = (constant: Scalar) => compareInstants('=', value, constant) === true
  const isFound = values.has(value) || (isInstantMember(operand) && [...values].some(isEqual))
  return isFound !== isNegated
}

function isInstantMember(node: Expression): boolean {
  return node.kind === 'path' && isInstant(node)
}

/** Undefined unless both sides are instants. Then they compare as texts. */
function compareInstants(operator: ComparisonOperator, left: Value, right: Value): Truth {
  if (typeof left !== 'string' || typeof right !== 'string') return undefined
  const [leftInstant, rightInstant] = [instantOf(left), instantOf(right)]
  if (leftInstant === undefined || rightInstant === undefined) return undefined
  return holds(operator, leftInstant, rightInstant)
}
