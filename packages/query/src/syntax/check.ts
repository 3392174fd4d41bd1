import { functions } from '../functions/functions.ts'
import type { Call, Expression, Path } from '../language/ast.ts'
import { canonicalPath, canonicalSpelling, isForeign, type Scope } from '../language/members.ts'
import { maxNesting } from './cursor.ts'
import { faultAt, type QueryText, quote } from './errors.ts'

/**
 * Checks what the grammar alone cannot check: members that the source lacks, operands that a function does not take, operators that
 * are nested too deep. Returns the expression with every name in canonical spelling.
 * @throws QueryError
 */
export function check(expression: Expression, context: Context): Expression {
  refuseDeepNesting(expression, context.input)
  return checkNode(expression, context)
}

export interface Context extends Scope {
  readonly input: QueryText
}

// A chain of operators such as a + a + a nests to the left. The parser uses no recursion for it, so this uses none either.
function refuseDeepNesting(expression: Expression, input: QueryText): void {
  let level: readonly Expression[] = [expression]
  for (let depth = 0; level.length > 0; depth += 1) {
    const [first] = level
    if (depth > maxNesting && first !== undefined) {
      const found = quote(input.text.slice(first.at))
      throw faultAt(input, first.at, { found, expected: `at most ${maxNesting} levels of nesting` })
    }
    level = level.flatMap(operandsOf)
  }
}

function operandsOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case 'constant':
    case 'path':
      return []
    case 'not':
    case 'membership':
      return [node.operand]
    case 'and':
    case 'or':
    case 'call':
      return node.operands
    case 'comparison':
    case 'arithmetic':
      return [node.left, node.right]
  }
}

function checkNode(node: Expression, context: Context): Expression {
  switch (node.kind) {
    case 'constant':
      return node
    case 'path':
      return checkPath(node, context)
    case 'not':
      return { ...node, operand: checkNode(node.operand, context) }
    case 'and':
    case 'or':
      return { ...node, operands: node.operands.map((operand) => checkNode(operand, context)) }
    case 'call':
      return checkCall(node, context)
    case 'membership': {
      const operand = checkNode(node.operand, context)
      if (operand.kind !== 'path') return { ...node, operand }
      return {
        ...node,
        operand,
        values: new Set([...node.values].map((value) => canonicalSpelling(operand, context.source, value))),
      }
    }
    case 'comparison': {
      const [left, right] = [checkNode(node.left, context), checkNode(node.right, context)]
      return { ...node, left: spelledLike(left, right, context), right: spelledLike(right, left, context) }
    }
    case 'arithmetic':
      return { ...node, left: checkNode(node.left, context), right: checkNode(node.right, context) }
  }
}

/** `check` of a path. @throws QueryError */
export function checkPath(node: Path, context: Context): Path {
  const { source, input } = context
  const path = canonicalPath(node, context)
  if (!isForeign(path, source)) return path
  throw faultAt(input, node.at, {
    found: quote(path.root),
    expected: 'a member of a device job',
    hint: 'Rows of devices.jobs have no twin members; jobId, deviceId, jobType and status are among those they have.',
  })
}

function checkCall(node: Call, context: Context): Call {
  const { parameters } = functions[node.name]
  const odd = node.operands.find((operand, index) => parameters[index] === 'member' && operand.kind !== 'path')
  if (odd !== undefined || node.operands.length !== parameters.length) {
    const at = odd?.at ?? node.at
    const found = odd === undefined ? `${node.operands.length} operands` : quote(context.input.text.slice(at))
    throw faultAt(context.input, at, { found, expected: `${node.name}(${parameters.join(', ')})` })
  }
  return { ...node, operands: node.operands.map((operand) => checkNode(operand, context)) }
}

function spelledLike(node: Expression, other: Expression, { source }: Scope): Expression {
  if (node.kind !== 'constant' || other.kind !== 'path' || node.value === undefined) return node
  return { ...node, value: canonicalSpelling(other, source, node.value) }
}
