import { functions } from '@muster/query'
import postgres from 'postgres'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { givenTwins } from './given-twins.ts'
import { accepted, selected } from './selected.ts'

const conditionsPerStatement = 40

const database = postgres(inject('databaseUrl'), { max: 1, onnotice: () => {} })
afterAll(() => database.end())

describe('Q16 the SQL of a condition selects exactly the twins that the evaluator accepts', () => {
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
  'connectionState',
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
  "['Connected', 'a']",
  "['2026-03-01', '2026-03-01T09:30:00.5000009Z']",
]

function negatable(text: string): readonly string[] {
  return [text, `NOT (${text})`]
}

async function expectAgreement(texts: readonly string[]): Promise<void> {
  for (let index = 0; index < texts.length; index += conditionsPerStatement) {
    const batch = texts.slice(index, index + conditionsPerStatement)
    expect(await selected(database, batch, givenTwins)).toEqual(batch.map((text) => accepted(text, givenTwins)))
  }
}
