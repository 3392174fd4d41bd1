import { functions } from '@muster/query'
import fc from 'fast-check'
import { key, scalar } from './arbitrary-twin.ts'

const spaced = (parts: readonly string[]) => parts.join(' ')
const grouped = (parts: readonly string[]) => `(${parts.join(' ')})`

const step = fc.oneof(
  { weight: 12, arbitrary: key.map(written) },
  { weight: 1, arbitrary: fc.constantFrom('[0]', '[1]', '[4294967296]', '.$version', "['\\u0000']") },
)

function written(key: string): string {
  return /^[a-z_]+$/.test(key) ? `.${key}` : key.includes("'") ? `["${key}"]` : `['${key}']`
}

const plainMembers = [
  'deviceId',
  'DEVICES.status',
  'statusReason',
  'x509Thumbprint',
  'x509Thumbprint.primaryThumbprint',
  'cloudToDeviceMessageCount',
  'lastActivityTime',
  'statusUpdateTime',
  'tags',
  'properties',
  'properties.reported',
  "properties['desired.$version']",
  'properties.Desired.$version',
  'unheardOf.member',
]

const section = fc.constantFrom('tags', 'TAGS', 'properties.desired', 'properties.reported')

const path = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...plainMembers) },
  { weight: 12, arbitrary: fc.tuple(section, step).map((parts) => parts.join('')) },
  { weight: 4, arbitrary: fc.tuple(section, step, step).map((parts) => parts.join('')) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        section,
        fc.array(step, { maxLength: 4 }).map((steps) => steps.join('')),
      )
      .map((parts) => parts.join('')),
  },
)

const literal = fc.oneof(
  { weight: 12, arbitrary: scalar },
  { weight: 1, arbitrary: fc.constantFrom('\0', 'a\0b', '2026\0') },
)

function writtenLiteral(value: string | number | boolean | null): string {
  return typeof value === 'string' ? `'${escaped(value)}'` : String(value)
}

function escaped(text: string): string {
  return text.replace(/['\\]/g, '\\$&').replaceAll('\0', '\\u0000')
}

const constant = fc.oneof(
  { weight: 15, arbitrary: literal.map(writtenLiteral) },
  { weight: 1, arbitrary: fc.constantFrom('undefined', 'NULL', 'True', '0x0A', '1e1', '"\\u0061"') },
)

const list = fc
  .array(literal.map(writtenLiteral), { minLength: 1, maxLength: 6 })
  .map((items) => `[${items.join(', ')}]`)

/** Texts of valid conditions over the twins of `arbitrary-twin.ts`, in any spelling that the grammar has. */
export const conditions: fc.Arbitrary<string> = fc.letrec<{ expression: string; operand: string }>((tie) => {
  const operand = tie('operand')
  const expression = tie('expression')
  const call = fc
    .constantFrom(...Object.entries(functions))
    .chain(([name, { parameters }]) =>
      fc
        .tuple(...parameters.map((parameter) => (parameter === 'member' ? path : operand)))
        .map((operands) => `${name}(${operands.join(', ')})`),
    )
  const comparison = fc.tuple(operand, fc.constantFrom('=', '!=', '<>', '<', '>', '<=', '>='), operand).map(spaced)
  const membership = fc.tuple(operand, fc.constantFrom('IN', 'nin'), list).map(spaced)
  return {
    operand: fc.oneof(
      { maxDepth: 2 },
      { weight: 6, arbitrary: path },
      { weight: 5, arbitrary: constant },
      { weight: 5, arbitrary: fc.tuple(operand, fc.constantFrom('+', '-', '*', '/', '%'), operand).map(grouped) },
      { weight: 1, arbitrary: operand.map((inner) => `-(${inner})`) },
      { weight: 1, arbitrary: expression.map((inner) => `(${inner})`) },
    ),
    expression: fc.oneof(
      { maxDepth: 4 },
      { weight: 8, arbitrary: fc.tuple(path, fc.constantFrom('=', '!=', '<', '>='), constant).map(spaced) },
      { weight: 6, arbitrary: fc.tuple(path, fc.constantFrom('IN', 'NIN'), list).map(spaced) },
      { weight: 2, arbitrary: path },
      { weight: 6, arbitrary: comparison },
      { weight: 1, arbitrary: membership },
      { weight: 3, arbitrary: call },
      { weight: 3, arbitrary: fc.tuple(expression, fc.constantFrom('AND', 'OR'), expression).map(grouped) },
      { weight: 2, arbitrary: expression.map((inner) => `NOT (${inner})`) },
    ),
  }
}).expression
