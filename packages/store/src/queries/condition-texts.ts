import type { Expression } from '@muster/query'

/**
 * The texts that a member of the row must be one of where a condition is true; null when the condition does not say. For
 * leaving out early what cannot be selected: the condition itself still has to be checked.
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

/** Constants of other types equal no text, and one with U+0000 none that Postgres holds, so they add none. */
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
