import { closest, distance } from 'fastest-levenshtein'
import type { Expression, Path } from '../language/ast.ts'
import { deviceMembers, isMember } from '../language/members.ts'
import { faultAt, type QueryText, quote } from './errors.ts'

/**
 * Refuses a path that begins with no member of a twin: it would be undefined for every device, and so the condition of a job would select
 * fewer devices than its writer meant, or more. Names are in canonical spelling.
 * @throws QueryError that names the nearest member
 */
export function requireKnownRoots(expression: Expression, input: QueryText): void {
  switch (expression.kind) {
    case 'constant':
      break
    case 'path':
      if (!isKnown(expression)) throw unknownRoot(expression, input, hintFor(expression))
      break
    case 'not':
    case 'membership':
      requireKnownRoots(expression.operand, input)
      break
    case 'and':
    case 'or':
    case 'call':
      for (const operand of expression.operands) requireKnownRoots(operand, input)
      break
    case 'comparison':
      refuseBareText(expression.left, expression.right, input)
      refuseBareText(expression.right, expression.left, input)
      requireKnownRoots(expression.left, input)
      requireKnownRoots(expression.right, input)
      break
    case 'arithmetic':
      if (expression.operator === '-') refuseHyphen(expression.left, expression.right, input)
      requireKnownRoots(expression.left, input)
      requireKnownRoots(expression.right, input)
  }
}

/** A bare name that is compared with a member is a text without its quotes. */
function refuseBareText(operand: Expression, other: Expression, input: QueryText): void {
  const isBare = operand.kind === 'path' && operand.steps.length === 0 && !isKnown(operand)
  if (!isBare || other.kind !== 'path' || !isKnown(other)) return
  throw unknownRoot(operand, input, `For a text, write '${operand.root}' in quotes.`)
}

/** A hyphen in a name is a subtraction of a bare name. */
function refuseHyphen(left: Expression, right: Expression, input: QueryText): void {
  const isBare = right.kind === 'path' && right.steps.length === 0 && !isKnown(right)
  if (!isBare || left.kind !== 'path' || !isKnown(left)) return
  const last = left.steps.at(-1)
  if (typeof last !== 'string') return
  const member = `${left.root}${written([...left.steps.slice(0, -1), `${last}-${right.root}`])}`
  throw unknownRoot(right, input, `For a name with a hyphen, write ${member}.`)
}

function isKnown({ root }: Path): boolean {
  return isMember(root, 'devices')
}

function unknownRoot({ root, at }: Path, input: QueryText, hint: string): Error {
  return faultAt(input, at, { found: quote(root), expected: 'a member of a twin', hint })
}

function hintFor({ root, steps }: Path): string {
  const name = root.toLowerCase()
  const [next] = steps
  if (name === 'desired' || name === 'reported') return `The nearest member is properties.${name}${written(steps)}.`
  if (typeof next === 'string' && isMember(next, 'devices'))
    return `Leave ${root} out: ${next}${written(steps.slice(1))}.`
  const near = nearestOf(name, steps.length > 0 ? membersWithMembers : deviceMembers)
  if (near !== undefined) return `The nearest member is ${near}${written(steps)}.`
  return 'Tags are below tags, properties below properties.desired and properties.reported.'
}

/** Without them `tag.site` would be as near to `etag` as to `tags`. */
const membersWithMembers = ['tags', 'properties', 'capabilities', 'x509Thumbprint']

function nearestOf(name: string, members: readonly string[]): string | undefined {
  const near = closest(
    name,
    members.map((member) => member.toLowerCase()),
  )
  if (distance(name, near) > name.length / 2) return undefined
  return members.find((member) => member.toLowerCase() === near)
}

function written(steps: Path['steps']): string {
  return steps
    .map((step) => {
      if (typeof step === 'number') return `[${step}]`
      return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `['${step.replaceAll("'", "\\'")}']`
    })
    .join('')
}
