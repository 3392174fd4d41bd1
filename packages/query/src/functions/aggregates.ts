import type { Json } from '@muster/contract'
import type { AggregateName } from '../language/names.ts'
import { compareText, sumOf, type Value } from '../language/values.ts'
import { type SqlFragment, sql, trusted } from '../operands/fragment.ts'

/** One aggregate of a select list. An undefined result is left out of the row. */
export interface Aggregate {
  readonly doc: string
  /** Takes the defined values of the rows of a group; for COUNT(), any value, once for each row. */
  readonly evaluate: (values: readonly Json[]) => Value
  /**
   * A jsonb that sums up a jsonb column, in which NULL is undefined. COUNT() gives `*`. It raises no error, whatever the rows
   * hold.
   */
  readonly sql: (column: SqlFragment) => SqlFragment
  /** The result, from the value of `sql`. Exact numbers become doubles only here, as in `evaluate`. */
  readonly read: (told: Json) => Value
}

/** Read by the parser, the compiler, the evaluator and the tests' generator of queries. */
export const aggregates: Readonly<Record<AggregateName, Aggregate>> = {
  COUNT: {
    doc: 'how many rows there are, or how many of them have the member',
    evaluate: (values) => values.length,
    sql: (column) => sql`to_jsonb(count(${column}))`,
    read: (count) => count,
  },
  SUM: {
    doc: 'the sum of the numbers; 0 when there are none',
    evaluate: (values) => double(sumOf(numbersAmong(values))),
    sql: (column) => sql`to_jsonb(coalesce(sum(${numberIn(column)}), 0))`,
    read: (sum) => double(sum),
  },
  AVG: {
    doc: 'the sum of the numbers, divided by how many there are; nothing when there are none',
    evaluate: (values) => quotient(sumOf(numbersAmong(values)), numbersAmong(values).length),
    sql: (column) => sql`jsonb_build_array(sum(${numberIn(column)}), count(${numberIn(column)}))`,
    read: (told) => (Array.isArray(told) ? quotient(told[0], told[1]) : undefined),
  },
  MIN: extreme('least', 'min', -1),
  MAX: extreme('greatest', 'max', 1),
}

function extreme(what: string, name: 'min' | 'max', sign: 1 | -1): Aggregate {
  const isBetter = (order: number) => order * sign > 0
  return {
    doc: `the ${what} of the texts when every value is a text, else of the numbers; nothing when there are none`,
    evaluate: (values) => {
      const texts = values.filter((value) => typeof value === 'string')
      if (texts.length === values.length) return best(texts, (a, b) => isBetter(compareText(a, b)))
      return best(numbersAmong(values), (a, b) => isBetter(a - b))
    },
    sql: (column) => {
      const least = trusted(name)
      const text = sql`case when jsonb_typeof(${column}) = 'string' then ${column} #>> '{}' end collate "C"`
      return sql`case when bool_and(jsonb_typeof(${column}) = 'string') then to_jsonb(${least}(${text})) else to_jsonb(${least}(${numberIn(column)})) end`
    },
    read: (value) => value ?? undefined,
  }
}

function best<Ordered>(values: readonly Ordered[], isBetter: (a: Ordered, b: Ordered) => boolean): Ordered | undefined {
  const [first, ...others] = values
  return others.reduce((chosen, value) => (chosen === undefined || isBetter(value, chosen) ? value : chosen), first)
}

function numbersAmong(values: readonly Json[]): readonly number[] {
  return values.filter((value): value is number => typeof value === 'number' && Number.isFinite(value))
}

// jsonb holds numbers that are out of the range of a double. Their sums could be too long even for numeric. Here they do not count.
function numberIn(column: SqlFragment): SqlFragment {
  const number = sql`${column}::numeric`
  return sql`case when jsonb_typeof(${column}) = 'number' then case when abs(${number}) < ${beyondDoubles} then ${number} end end`
}

/** The smallest decimal with this number of digits that is rounded to infinity. */
const beyondDoubles = trusted('1.797693134862315808e308')

function quotient(dividend: Value, divisor: Value): Value {
  return typeof dividend === 'number' && typeof divisor === 'number' ? double(dividend / divisor) : undefined
}

/** Undefined where there is no double: out of range, or divided by 0. JSON has only one zero. */
function double(value: Value): Value {
  return typeof value === 'number' && Number.isFinite(value) ? value + 0 : undefined
}
