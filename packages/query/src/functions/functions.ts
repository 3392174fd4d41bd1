import { closest, distance } from 'fastest-levenshtein'
import { aggregateNamed, type FunctionName, functionNames } from '../language/names.ts'
import type { Truth } from '../language/values.ts'
import { typeOf, type Value, type ValueType } from '../language/values.ts'
import { join, type SqlFragment, sql, trusted } from '../operands/fragment.ts'
import { holdsNul, jsonOf, type Operand, textOf } from '../operands/operand.ts'

/** One function of the language. `sql` is `evaluate` for Postgres: a boolean, NULL where that is undefined. */
export interface QueryFunction {
  /** A `member` must be a path; a `value` is any expression. */
  readonly parameters: readonly ('member' | 'value')[]
  readonly doc: string
  readonly evaluate: (...operands: readonly Value[]) => Truth
  readonly sql: (...operands: readonly Operand[]) => SqlFragment
}

/** Read by the parser, the compiler, the evaluator and the tests' generator of conditions. */
export const functions: Readonly<Record<FunctionName, QueryFunction>> = {
  IS_DEFINED: {
    // Only a path is accepted. A text in quotes would always be defined, and the job would reach every device.
    parameters: ['member'],
    doc: 'the member is there, also when it is null',
    evaluate: (member) => member !== undefined,
    sql: (member) => sql`(${jsonOf(member)} is not null)`,
  },
  STARTSWITH: textTest({
    doc: 'the first text begins with the second',
    evaluate: (text, part) => text.startsWith(part),
    sql: (text, part) => sql`starts_with(${text}, ${part})`,
    withoutNul: (text) => text.replace(/\0.*/s, ''),
  }),
  ENDSWITH: textTest({
    doc: 'the first text ends with the second',
    evaluate: (text, part) => text.endsWith(part),
    sql: (text, part) => sql`(right(${text}, length(${part})) = ${part})`,
    withoutNul: (text) => text.replace(/.*\0/s, ''),
  }),
  IS_NULL: typeTest('null', ['null']),
  IS_NUMBER: typeTest('a number', ['number']),
  IS_STRING: typeTest('a string', ['string']),
  IS_BOOL: typeTest('true or false', ['boolean']),
  IS_ARRAY: typeTest('an array', ['array']),
  IS_OBJECT: typeTest('an object', ['object']),
  IS_PRIMITIVE: typeTest('null, a number, a string, true or false', ['null', 'number', 'string', 'boolean']),
}

/** The function to use instead of one that the language lacks. */
export function hintForFunction(text: string): string {
  const name = text.toUpperCase()
  if (aggregateNamed(name) !== undefined) return `${name} is an aggregate: it is an item of a select list, by itself.`
  const near = standIns.get(name) ?? nearest(name)
  return near === undefined ? `The functions are ${functionNames.join(', ')}.` : `The nearest function is ${near}.`
}

const standIns: ReadonlyMap<string, FunctionName> = new Map([
  ['CONTAINS', 'STARTSWITH'],
  ['INDEX_OF', 'STARTSWITH'],
  ['SUBSTRING', 'STARTSWITH'],
  ['EXISTS', 'IS_DEFINED'],
])

// Up to three letters differ, without underscores: STARTS_WITH, IS_BOOLEAN, ISNUMERIC.
function nearest(name: string): string | undefined {
  const bare = (of: string) => of.replaceAll('_', '')
  const near = closest(bare(name), functionNames.map(bare))
  return distance(bare(name), near) <= 3 ? functionNames.find((candidate) => bare(candidate) === near) : undefined
}

function typeTest(what: string, types: readonly ValueType[]): QueryFunction {
  const list = join(
    types.map((type) => trusted(`'${type}'`)),
    ', ',
  )
  return {
    parameters: ['value'],
    doc: `the value is ${what}; false when undefined`,
    evaluate: (value) => value !== undefined && types.includes(typeOf(value)),
    sql: (value) => sql`coalesce(jsonb_typeof(${jsonOf(value)}) in (${list}), false)`,
  }
}

interface TextTest {
  readonly doc: string
  readonly evaluate: (text: string, part: string) => boolean
  readonly sql: (text: SqlFragment, part: SqlFragment) => SqlFragment
  /** The part of a text with NUL that a text of a row can match. No row holds NUL. */
  readonly withoutNul: (text: string) => string
}

function textTest({ doc, evaluate, sql: test, withoutNul }: TextTest): QueryFunction {
  return {
    parameters: ['value', 'value'],
    doc: `${doc}; undefined unless both are texts`,
    evaluate: (text, part) => (typeof text === 'string' && typeof part === 'string' ? evaluate(text, part) : undefined),
    sql: (text, part) => {
      const whole = textOf(
        text.kind === 'constant' && holdsNul(text.value) ? { ...text, value: withoutNul(text.value) } : text,
      )
      const piece = textOf(part)
      if (whole === undefined || piece === undefined) return sql`null::boolean`
      if (part.kind === 'constant' && holdsNul(part.value)) return sql`(${whole} is null and null)`
      return test(whole, piece)
    },
  }
}
