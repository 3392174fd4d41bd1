import { functions } from '@muster/query'
import fc from 'fast-check'
import { type Fact, type Scalar, writtenConstant, writtenList } from './facts.ts'

/** Conditions about a path and about values that some twin has there: more often than not they select some twins and not others. */
export function tellingCondition(facts: readonly Fact[]): fc.Arbitrary<string> {
  const fact = fc.constantFrom(...facts)
  const text = fc.constantFrom(...facts.filter(isText))
  const number = fc.constantFrom(...facts.filter(isNumber))
  return fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fact, comparison, fc.boolean()).map(compared) },
    { weight: 2, arbitrary: fc.tuple(fact, comparison, fact).map(comparedWithOther) },
    {
      weight: 3,
      arbitrary: fc.tuple(fact, fc.constantFrom('IN', 'NIN'), fc.array(fact, { maxLength: 4 })).map(inList),
    },
    { weight: 2, arbitrary: fc.tuple(text, fc.constantFrom('STARTSWITH', 'EndsWith'), fc.nat(3)).map(ofPart) },
    { weight: 2, arbitrary: fc.tuple(number, comparison, fc.integer({ min: -2, max: 3 })).map(ofSum) },
    { weight: 2, arbitrary: fc.tuple(number, fc.constantFrom('+', '*', '%'), comparison, fact).map(ofCalculation) },
    { weight: 2, arbitrary: fc.tuple(typeTest, fact).map(([name, { path }]) => `${name}(${path})`) },
  )
}

const comparison = fc.constantFrom('=', '!=', '<>', '<', '>', '<=', '>=')
const typeTest = fc.constantFrom(...Object.keys(functions).filter((name) => name.startsWith('IS_')))

type Of<Value extends Scalar> = Fact & { readonly value: Value }
const isText = (fact: Fact): fact is Of<string> => typeof fact.value === 'string'
const isNumber = (fact: Fact): fact is Of<number> => typeof fact.value === 'number'

function compared([{ path, value }, operator, isMirrored]: readonly [Fact, string, boolean]): string {
  const constant = writtenConstant(value)
  return isMirrored ? `${constant} ${operator} ${path}` : `${path} ${operator} ${constant}`
}

function comparedWithOther([one, operator, other]: readonly [Fact, string, Fact]): string {
  return `${one.path} ${operator} ${other.path}`
}

function inList([{ path, value }, operator, others]: readonly [Fact, string, readonly Fact[]]): string {
  return `${path} ${operator} ${writtenList([value, ...others.map((other) => other.value)])}`
}

/** Of whole characters: half a surrogate pair is no text. */
function ofPart([{ path, value }, name, length]: readonly [Of<string>, string, number]): string {
  const characters = [...value]
  const part = name === 'STARTSWITH' ? characters.slice(0, length) : characters.slice(-length)
  return `${name}(${path}, ${writtenConstant(part.join(''))})`
}

function ofSum([{ path, value }, operator, summand]: readonly [Of<number>, string, number]): string {
  return `${path} + ${summand} ${operator} ${value + summand}`
}

function ofCalculation([{ path, value }, sign, operator, other]: readonly [Of<number>, string, string, Fact]): string {
  return `${path} ${sign} ${value} ${operator} ${other.path}`
}
