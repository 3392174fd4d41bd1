import type { Expression } from '@muster/query'

/**
 * If a condition is true, the member of the row is one of these texts. Null: the condition does not say so. Rows that cannot match are
 * left out early by it; the condition itself must still be checked.
 */
export function requiredTexts(where: Expression | null, member: string): ReadonlySet<string> | null {
  switch (where?.kind) {
    case 'and':
      return (
        where.operands.map((operand) => requiredTexts(operand, member)).find((required) => required !== null) ?? null
      )
    case 'or':
      return union(where.operands.map((operand) => requiredTexts(operand, member)))
    case 'comparison':
      if (where.operator !== '=') return null
      return equalTexts(where.left, [where.right], member) ?? equalTexts(where.right, [where.left], member)
    case 'membership': {
      if (where.isNegated) return null
      const constants = [...where.values].map((value) => ({ kind: 'constant', value, at: where.at }) as const)
      return equalTexts(where.operand, constants, member)
    }
    default:
      return null
  }
}

function union(alternatives: readonly (ReadonlySet<string> | null)[]): ReadonlySet<string> | null {
  const texts = new Set<string>()
  for (const alternative of alternatives) {
    if (alternative === null) return null
    for (const text of alternative) texts.add(text)
  }
  return texts
}

/** A constant of another type equals no text. A text with U+0000 equals none in Postgres. So neither adds a text. */
function equalTexts(path: Expression, constants: readonly Expression[], member: string): ReadonlySet<string> | null {
  if (path.kind !== 'path' || path.root !== member || path.steps.length > 0) return null
  if (constants.some((constant) => constant.kind !== 'constant')) return null
  const texts = constants.flatMap((constant) =>
    constant.kind === 'constant' && typeof constant.value === 'string' && !constant.value.includes('\u0000')
      ? [constant.value]
      : [],
  )
  return new Set(texts)
}
