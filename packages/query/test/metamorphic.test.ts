import fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, expect, inject, it } from 'vitest'
import { languageOver } from './arbitrary-condition.ts'
import { documentOf, twins } from './arbitrary-twin.ts'
import { type Scalar, writtenConstant, writtenList } from './facts.ts'
import { selected } from './selected.ts'

/** Each run tries every rule, and its negation: below NOT, false and undefined differ too. */
const runs = Math.ceil((Number(process.env.MUSTER_TEST_DIFFERENTIAL_CASES) || 20_000) / 100)

const database = postgres(inject('databaseUrl'), { max: 1, onnotice: () => {} })
afterAll(() => database.end())

it('Q1 Q3 Q6 Q8 the same said in other words selects the same twins', async () => {
  const property = fc.asyncProperty(twinsWithParts, async ([rows, parts]) => {
    const rewritings = Object.entries(rules).flatMap(([rule, rewrite]) => {
      const [one, other] = rewrite(parts)
      return [
        { rule, one, other },
        { rule: `NOT ${rule}`, one: `NOT (${one})`, other: `NOT (${other})` },
      ]
    })
    const found = await selected(
      database,
      rewritings.flatMap(({ one, other }) => [one, other]),
      rows,
    )
    const idsOf = (text: string) => found.find(({ condition }) => condition === text)?.ids

    expect(rewritings.map((rewriting) => ({ ...rewriting, ids: idsOf(rewriting.one) }))).toEqual(
      rewritings.map((rewriting) => ({ ...rewriting, ids: idsOf(rewriting.other) })),
    )
  })

  await fc.assert(property, { numRuns: runs })
  process.stdout.write(`${runs} x ${Object.keys(rules).length} pairs of conditions that mean the same\n`)
}, 3_600_000)

interface Parts {
  /** Conditions. */
  readonly a: string
  readonly b: string
  readonly c: string
  /** Operands. */
  readonly x: string
  readonly y: string
  readonly values: readonly Scalar[]
  /** For each letter, whether it becomes a capital. */
  readonly capitals: readonly boolean[]
}

const twinsWithParts = fc.noShrink(twins).chain((rows) => {
  const { condition, operand, value } = languageOver(rows.map(documentOf))
  const parts = fc.record<Parts>({
    a: condition,
    b: condition,
    c: condition,
    x: operand,
    y: operand,
    values: fc.array(value, { minLength: 1, maxLength: 5 }),
    capitals: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
  })
  return fc.tuple(fc.constant(rows), parts)
})

const rules: Readonly<Record<string, (parts: Parts) => readonly [string, string]>> = {
  'AND from right to left': ({ a, b, c }) => [`(${a}) AND (${b}) AND (${c})`, `(${c}) AND (${b}) AND (${a})`],
  'OR from right to left': ({ a, b, c }) => [`(${a}) OR (${b}) OR (${c})`, `(${c}) OR (${b}) OR (${a})`],
  'AND in pairs': ({ a, b, c }) => [`(${a}) AND (${b}) AND (${c})`, `(${a}) AND ((${b}) AND (${c}))`],
  'OR in pairs': ({ a, b, c }) => [`(${a}) OR (${b}) OR (${c})`, `(${a}) OR ((${b}) OR (${c}))`],
  'AND over OR': ({ a, b, c }) => [`(${a}) AND ((${b}) OR (${c}))`, `(${a}) AND (${b}) OR (${a}) AND (${c})`],
  'OR over AND': ({ a, b, c }) => [`(${a}) OR (${b}) AND (${c})`, `((${a}) OR (${b})) AND ((${a}) OR (${c}))`],
  'NOT twice': ({ a }) => [a, `NOT NOT (${a})`],
  'NOT of AND': ({ a, b }) => [`NOT ((${a}) AND (${b}))`, `NOT (${a}) OR NOT (${b})`],
  'NOT of OR': ({ a, b }) => [`NOT ((${a}) OR (${b}))`, `NOT (${a}) AND NOT (${b})`],
  'AND with what is true': ({ a }) => [a, `(${a}) AND 1 = 1`],
  'OR with what is false': ({ a }) => [a, `1 = 2 OR (${a})`],
  'twice the same': ({ a }) => [a, `(${a}) AND (${a})`],
  parentheses: ({ a }) => [a, `(((${a})))`],
  'IN as alternatives': ({ x, values }) => [`${x} IN ${writtenList(values)}`, joined(x, '=', values, ' OR ')],
  'NIN as exceptions': ({ x, values }) => [`${x} NIN ${writtenList(values)}`, joined(x, '!=', values, ' AND ')],
  'NIN as NOT IN': ({ x, values }) => [`${x} NIN ${writtenList(values)}`, `NOT ${x} IN ${writtenList(values)}`],
  'a list of one': ({ x, values: [value = 1] }) => [
    `${x} IN ${writtenList([value])}`,
    `${x} = ${writtenConstant(value)}`,
  ],
  '!= as NOT =': ({ x, y }) => [`${x} != ${y}`, `NOT ${x} = ${y}`],
  '= from right to left': ({ x, y }) => [`${x} = ${y}`, `${y} = ${x}`],
  '!= from right to left': ({ x, y }) => [`${x} != ${y}`, `${y} <> ${x}`],
  '< from right to left': ({ x, y }) => [`${x} < ${y}`, `${y} > ${x}`],
  '<= from right to left': ({ x, y }) => [`${x} <= ${y}`, `${y} >= ${x}`],
  '< as NOT >=': ({ x, y }) => [`${x} < ${y}`, `NOT ${x} >= ${y}`],
  'a minus': ({ x }) => [`-(${x} - 0) > 1`, `(0 - (${x} - 0)) > 1`],
  'words in other letter cases': ({ a, capitals }) => [a, respelled(a, capitals)],
  'comments and line breaks': ({ a }) => [a, outsideTexts(a, (code) => code.replaceAll(' ', ' /* or 1 = 1 */\n'))],
}

function joined(operand: string, operator: string, values: readonly Scalar[], connective: string): string {
  return values.map((value) => `${operand} ${operator} ${writtenConstant(value)}`).join(connective)
}

const words = /(?<![.\w$])(?:and|or|not|n?in|true|false|null|undefined|is_\w+|startswith|endswith)\b/gi

function respelled(text: string, capitals: readonly boolean[]): string {
  const respell = (word: string) =>
    [...word.toLowerCase()]
      .map((letter, index) => (capitals[index % capitals.length] === true ? letter.toUpperCase() : letter))
      .join('')
  return outsideTexts(text, (code) => code.replace(words, respell))
}

/** Changes what stands between texts in quotes. */
function outsideTexts(text: string, change: (code: string) => string): string {
  return text
    .split(/('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")/s)
    .map((part, index) => (index % 2 === 1 ? part : change(part)))
    .join('')
}
