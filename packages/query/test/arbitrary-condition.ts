import type { JsonObject } from '@muster/contract'
import { functions } from '@muster/query'
import fc from 'fast-check'
import { arbitraryPath } from './arbitrary-path.ts'
import { scalar } from './arbitrary-twin.ts'
import { factsOf, type Scalar, writtenConstant, writtenList } from './facts.ts'
import { tellingCondition } from './telling-condition.ts'

/** Texts of the language, in any spelling that the grammar has. */
export interface Language {
  readonly path: fc.Arbitrary<string>
  readonly value: fc.Arbitrary<Scalar>
  /** What may stand beside an operator, in parentheses where it must. */
  readonly operand: fc.Arbitrary<string>
  readonly condition: fc.Arbitrary<string>
}

/** The language over some twins: most of it speaks of what they hold, so that it tells one twin from another; the rest of anything. */
export function languageOver(twins: readonly JsonObject[]): Language {
  const facts = factsOf(twins)
  const fact = fc.constantFrom(...facts)
  const path = fc.oneof(
    { weight: 3, arbitrary: fact.map((known) => known.path) },
    { weight: 1, arbitrary: arbitraryPath },
  )
  const value = fc.oneof(
    { weight: 12, arbitrary: fact.map((known) => known.value) },
    { weight: 4, arbitrary: scalar },
    { weight: 1, arbitrary: fc.constantFrom('\0', 'a\0b', '2026\0') },
  )
  const constant = fc.oneof(
    { weight: 15, arbitrary: value.map(writtenConstant) },
    { weight: 1, arbitrary: fc.constantFrom('undefined', 'NULL', 'True', '0x0A', '1e1', '"\\u0061"') },
  )
  const list = fc
    .oneof(
      { weight: 15, arbitrary: fc.array(value, { minLength: 1, maxLength: 6 }) },
      { weight: 1, arbitrary: fc.array(value, { minLength: 45, maxLength: 60 }) },
    )
    .map(writtenList)

  const { operand, condition } = fc.letrec<{ operand: string; condition: string }>((tie) => {
    const [inner, whole] = [tie('operand'), tie('condition')]
    return {
      operand: fc.oneof(
        { maxDepth: 2 },
        { weight: 6, arbitrary: path },
        { weight: 5, arbitrary: constant },
        { weight: 5, arbitrary: fc.tuple(inner, fc.constantFrom('+', '-', '*', '/', '%'), inner).map(grouped) },
        { weight: 1, arbitrary: inner.map((text) => `-(${text})`) },
        { weight: 1, arbitrary: whole.map((text) => `(${text})`) },
      ),
      condition: fc.oneof(
        { maxDepth: 4 },
        { weight: 24, arbitrary: tellingCondition(facts) },
        { weight: 8, arbitrary: fc.tuple(path, fc.constantFrom('IN', 'NIN'), list).map(spaced) },
        { weight: 2, arbitrary: path },
        { weight: 5, arbitrary: fc.tuple(inner, comparison, inner).map(spaced) },
        { weight: 1, arbitrary: fc.tuple(inner, fc.constantFrom('in', 'Nin'), list).map(spaced) },
        { weight: 2, arbitrary: callOf(path, inner) },
        { weight: 6, arbitrary: fc.tuple(whole, fc.constantFrom('AND', 'OR'), whole).map(grouped) },
        { weight: 4, arbitrary: whole.map((text) => `NOT (${text})`) },
      ),
    }
  })
  return { path, value, operand, condition }
}

const comparison = fc.constantFrom('=', '!=', '<>', '<', '>', '<=', '>=')

function callOf(path: fc.Arbitrary<string>, operand: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const calls = Object.entries(functions).map(([name, { parameters }]) =>
    fc
      .tuple(...parameters.map((parameter) => (parameter === 'member' ? path : operand)))
      .map((operands) => `${name}(${operands.join(', ')})`),
  )
  return fc.oneof(...calls)
}

function spaced(parts: readonly string[]): string {
  return parts.join(' ')
}

function grouped(parts: readonly string[]): string {
  return `(${parts.join(' ')})`
}
