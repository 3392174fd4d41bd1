import { isJsonObject, type Json, type JsonObject } from '@muster/contract'
import type { Expression, Path } from '@muster/query'

/** What the conditions of a test have met on the way to their values. */
export interface Coverage {
  add(text: string, where: Expression | null, twins: readonly JsonObject[]): void
  /** Of all conditions, how many are of each kind, in percent. */
  shares(): Readonly<Record<string, number>>
}

/** Where a path leads in each twin. */
interface Ways {
  readonly path: Path
  readonly values: readonly (Json | undefined)[]
}

const kinds: Readonly<Record<string, (ways: Ways, text: string) => boolean>> = {
  'mixed types': ({ values }) => new Set(values.filter(isThere).map(typeOf)).size > 1,
  'missing members': ({ values }) => values.some(isThere) && !values.every(isThere),
  'nested objects': ({ path, values }) => nesting(path) > 1 && values.some(isThere),
  arrays: ({ path, values }) => values.some(Array.isArray) || (path.steps.some(isIndex) && values.some(isThere)),
  'other alphabets': (_, text) => /[^\0-\x7f]/.test(text),
  quotes: (_, text) => /\\['"]|"[^"]*'/.test(text),
}

export function openCoverage(): Coverage {
  const counts = new Map(Object.keys(kinds).map((kind) => [kind, 0]))
  let all = 0
  return {
    add(text, where, twins) {
      all += 1
      const ways = where === null ? [] : pathsIn(where).map((path) => ({ path, values: twins.map(valueAt(path)) }))
      for (const [kind, isMet] of Object.entries(kinds)) {
        if (ways.some((one) => isMet(one, text))) counts.set(kind, (counts.get(kind) ?? 0) + 1)
      }
    },
    shares: () => Object.fromEntries([...counts].map(([kind, count]) => [kind, Math.round((100 * count) / all)])),
  }
}

function pathsIn(node: Expression): readonly Path[] {
  switch (node.kind) {
    case 'constant':
      return []
    case 'path':
      return [node]
    case 'not':
    case 'membership':
      return pathsIn(node.operand)
    case 'and':
    case 'or':
    case 'call':
      return node.operands.flatMap(pathsIn)
    case 'comparison':
    case 'arithmetic':
      return [...pathsIn(node.left), ...pathsIn(node.right)]
  }
}

function valueAt({ root, steps }: Path) {
  return (twin: JsonObject): Json | undefined =>
    [root, ...steps].reduce<Json | undefined>((value, step) => {
      if (typeof step === 'number') return Array.isArray(value) ? value[step] : undefined
      return isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined
    }, twin)
}

/** Steps below a section, or below another member of the root. */
function nesting({ root, steps }: Path): number {
  return root === 'properties' ? steps.length - 1 : steps.length
}

function isThere(value: Json | undefined): value is Json {
  return value !== undefined
}

function isIndex(step: string | number): boolean {
  return typeof step === 'number'
}

function typeOf(value: Json): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
}
