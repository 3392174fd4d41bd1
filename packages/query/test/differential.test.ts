import { compileCondition, evaluate, functions, parseCondition, type SqlValue } from '@muster/query'
import fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { conditions } from './arbitrary-condition.ts'
import { columns, documentOf, recordType, type TwinRow, twins } from './arbitrary-twin.ts'
import { givenTwins } from './given-twins.ts'
import { numbered } from './statement.ts'

const cases = Number(process.env.MUSTER_DIFFERENTIAL_CASES ?? 2000)
const conditionsPerStatement = 40

const database = postgres(inject('databaseUrl'), { max: 1, onnotice: () => {} })
afterAll(() => database.end())

describe('Q16 the SQL of a condition selects exactly the twins that the evaluator accepts', () => {
  it('for random conditions over random twins', async () => {
    let [telling, all] = [0, 0]
    const batch = fc.array(conditions, { minLength: 1, maxLength: conditionsPerStatement, size: 'max' })
    const property = fc.asyncProperty(twins, batch, async (rows, texts) => {
      const expected = texts.map((text) => accepted(text, rows))
      expect(await selected(texts, rows)).toEqual(expected)
      telling += expected.filter(({ ids }) => ids.length > 0 && ids.length < rows.length).length
      all += expected.length
    })
    await fc.assert(property, { numRuns: Math.ceil(cases / (conditionsPerStatement / 2)) })

    const share = Math.round((100 * telling) / all)
    process.stdout.write(`${all} random conditions; ${share} % select neither none nor all of their twins\n`)
    expect(share).toBeGreaterThan(10)
  })

  it('for every operator between any two kinds of operand, and its negation', async () => {
    const pairs = operands.flatMap((left) => operands.map((right) => [left, right]))
    const texts = pairs.flatMap(([left, right]) => [
      ...['=', '!=', '<', '>='].flatMap((operator) => negatable(`${left} ${operator} ${right}`)),
      ...['+', '-', '*', '/'].map((operator) => `IS_NUMBER(${left} ${operator} ${right})`),
      ...negatable(`${left} % ${right} = 0`),
    ])
    await expectAgreement(texts)
  })

  it('for every function of any kinds of operands, and its negation', async () => {
    const texts = Object.entries(functions).flatMap(([name, { parameters }]) => {
      const firsts = parameters[0] === 'member' ? members : operands
      const seconds = parameters.length === 1 ? [''] : operands.map((operand) => `, ${operand}`)
      return firsts.flatMap((first) => seconds.flatMap((second) => negatable(`${name}(${first}${second})`)))
    })
    await expectAgreement(texts)
  })

  it('for every kind of list and of operand, and for the operand alone, and their negations', async () => {
    const texts = operands.flatMap((operand) => [
      ...lists.flatMap((list) => [...negatable(`${operand} IN ${list}`), ...negatable(`${operand} NIN ${list}`)]),
      ...negatable(operand),
    ])
    await expectAgreement(texts)
  })
})

const members = [
  'tags',
  'tags.a',
  'tags.b',
  'tags.a[0]',
  'tags.b.a',
  'properties',
  'properties.reported',
  'deviceId',
  'statusReason',
  'x509Thumbprint.primaryThumbprint',
  'cloudToDeviceMessageCount',
  'lastActivityTime',
  'statusUpdateTime',
  'unheardOf',
]

const constants = [
  'undefined',
  'null',
  'true',
  '0',
  '1',
  '0.3',
  '1e23',
  "'a'",
  "''",
  "'a\\u0000b'",
  "'2026-03-01T09:30:00Z'",
]

const operands = [...members, ...constants, '(tags.a + 0)', '(tags.a = 1)']

const lists = [
  "['a']",
  "['a', 'b']",
  '[null]',
  "[null, 'a', 1]",
  '[1]',
  '[true, 0.3, 1e23]',
  "['a\\u0000b']",
  "['2026-03-01', '2026-03-01T09:30:00.5000009Z']",
]

function negatable(text: string): readonly string[] {
  return [text, `NOT (${text})`]
}

async function expectAgreement(texts: readonly string[]): Promise<void> {
  for (let index = 0; index < texts.length; index += conditionsPerStatement) {
    const batch = texts.slice(index, index + conditionsPerStatement)
    expect(await selected(batch, givenTwins)).toEqual(batch.map((text) => accepted(text, givenTwins)))
  }
}

interface Selection {
  readonly condition: string
  readonly ids: readonly string[]
}

function accepted(condition: string, rows: readonly TwinRow[]): Selection {
  const where = parseCondition(condition)
  const ids = rows.filter((row) => evaluate(where, documentOf(row))).map((row) => row.device_id)
  return { condition, ids: ids.sort() }
}

/** Runs the conditions in one statement, over twins that are a parameter of it. */
async function selected(texts: readonly string[], rows: readonly TwinRow[]): Promise<readonly Selection[]> {
  const values: SqlValue[] = [JSON.stringify(rows)]
  const selects = texts.map((text, index) => {
    const where = numbered(compileCondition(parseCondition(text), columns).sql, values)
    return `select ${index} as index, twin.device_id from twin where ${where}`
  })
  const statement = `
    with twin as materialized (select * from jsonb_to_recordset($1::text::jsonb) as row${recordType})
    ${selects.join(' union all ')}`
  const found = await database.unsafe<{ index: number; device_id: string }[]>(statement, values as string[])
  return texts.map((condition, index) => {
    const ids = found.filter((row) => row.index === index).map((row) => row.device_id)
    return { condition, ids: ids.sort() }
  })
}
