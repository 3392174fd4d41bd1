import fc from 'fast-check'

const paths = [
  'deviceId',
  'moduleId',
  'DEVICES.status',
  'connectionState',
  'lastActivityTime',
  'version',
  'tags',
  'tags.depot',
  'tags.line',
  'tags.kit.year',
  "tags['bay-no']",
  "tags.[[horse's]]",
  'tags.marks[0]',
  'properties',
  'properties.desired.heating',
  'properties.reported.load',
  'properties.reported.radio',
  'properties.desired.$version',
  'capabilities.iotEdge',
  'd.tags.line',
  'unheardOf',
  'jobId',
  'jobType',
  'devices.jobs.status',
  'error.code',
] as const

const constants = [
  '7',
  '-2',
  '62.5',
  '1e2',
  '0x9',
  'true',
  'null',
  'undefined',
  "'harbour'",
  '"tram"',
  "'7'",
  "'d\\'arcy'",
  "'2026-04-10T08:00:00Z'",
  "'\\u0000'",
  "''",
]

const path = fc.constantFrom(...paths)
const constant = fc.constantFrom(...constants)
const list = fc.array(constant, { minLength: 1, maxLength: 5 }).map((items) => `[${items.join(', ')}]`)

const { operand, condition } = fc.letrec<{ operand: string; condition: string }>((tie) => ({
  operand: fc.oneof(
    { maxDepth: 3 },
    { weight: 4, arbitrary: path },
    { weight: 3, arbitrary: constant },
    { weight: 1, arbitrary: parts('(', tie('operand'), oneOf(' + ', ' - ', ' * ', ' / ', ' % '), tie('operand'), ')') },
    { weight: 1, arbitrary: parts('-(', tie('operand'), ')') },
  ),
  condition: fc.oneof(
    { maxDepth: 4 },
    { weight: 6, arbitrary: parts(tie('operand'), oneOf(' = ', ' != ', '<>', '<', ' >= '), tie('operand')) },
    { weight: 2, arbitrary: parts(path, oneOf(' IN ', ' nin '), list) },
    { weight: 2, arbitrary: parts(oneOf('IS_DEFINED', 'is_number', 'IS_STRING', 'Is_Object'), '(', path, ')') },
    { weight: 1, arbitrary: parts(oneOf('STARTSWITH', 'endswith'), '(', tie('operand'), ', ', tie('operand'), ')') },
    { weight: 2, arbitrary: parts('(', tie('condition'), oneOf(' AND ', ' OR '), tie('condition'), ')') },
    { weight: 1, arbitrary: parts('NOT ', tie('condition')) },
  ),
}))

const alias = fc.oneof(
  { weight: 2, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: oneOf(' AS a', ' as total', ' AS $b_1') },
)
const aggregate = fc.oneof(
  oneOf('COUNT()', 'count(*)'),
  parts(oneOf('COUNT', 'AVG', 'SUM', 'min', 'MAX'), '(', path, ')'),
)
const plainItem = parts(fc.oneof({ weight: 4, arbitrary: path }, { weight: 1, arbitrary: operand }), alias)

/** A list of items and, behind the condition, what they are grouped by. */
const selections = fc.oneof(
  { weight: 3, arbitrary: fc.constant(['*', ''] as const) },
  { weight: 3, arbitrary: joined(plainItem).map((items) => [items, ''] as const) },
  { weight: 2, arbitrary: joined(parts(aggregate, alias)).map((items) => [items, ''] as const) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(path, alias, joined(parts(aggregate, alias)))
      .map(([key, name, items]) => [`${key}${name}, ${items}`, ` GROUP BY ${key}`] as const),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(joined(plainItem), joined(path)).map(([items, keys]) => [items, ` group by ${keys}`] as const),
  },
)

/** Texts that follow the grammar of queries. Whether what they say is allowed, such as a twin's member of a device job, is left open. */
export const arbitraryQuery: fc.Arbitrary<string> = fc
  .tuple(
    oneOf('', '', '', 'TOP 3 '),
    selections,
    fc.oneof(
      { weight: 4, arbitrary: oneOf('devices', 'Devices', 'devices AS d', 'devices d') },
      { weight: 2, arbitrary: oneOf('devices.jobs', 'devices.modules', 'Devices.MODULES d') },
    ),
    fc.oneof({ weight: 3, arbitrary: parts(' WHERE ', condition) }, { weight: 1, arbitrary: fc.constant('') }),
  )
  .map(([top, [items, grouping], source, where]) => `SELECT ${top}${items} FROM ${source}${where}${grouping}`)

function oneOf(...texts: readonly string[]): fc.Arbitrary<string> {
  return fc.constantFrom(...texts)
}

function parts(...texts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> {
  return fc
    .tuple(...texts.map((text) => (typeof text === 'string' ? fc.constant(text) : text)))
    .map((all) => all.join(''))
}

function joined(item: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.array(item, { minLength: 1, maxLength: 4 }).map((items) => items.join(', '))
}
