import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Column, Columns } from '../operands/columns.ts'
import { parseCondition } from '../syntax/parse.ts'
import { compileCondition } from './sql.ts'

const columns: Columns = new Map<string, Column>([
  ['deviceId', { kind: 'text', sql: 't.device_id' }],
  ['statusReason', { kind: 'text', sql: 'd.status_reason', undefinedWhenNull: true }],
  ['etag', { kind: 'text', sql: "encode(t.etag, 'base64')" }],
  [
    'connectionState',
    {
      kind: 'text',
      sql: `case when s.gateway is null then 'off' else 'on' end`,
      equals: new Map([
        ['on', 's.gateway is not null'],
        ['off', 's.gateway is null'],
      ]),
    },
  ],
  ['version', { kind: 'number', sql: 't.version' }],
  ['lastActivityTime', { kind: 'instant', sql: 's.active_at' }],
  ['tags', { kind: 'json', sql: 't.tags', undefinedWhenEmpty: true }],
  ['properties.desired', { kind: 'json', sql: 't.desired' }],
  ['properties.desired.$version', { kind: 'number', sql: 't.desired_version' }],
])

function compiled(condition: string): readonly [string, ...unknown[]] {
  const { sql } = compileCondition(parseCondition(condition), columns)
  return [sql.strings.reduce((text, part, index) => `${text}$${index}${part}`), ...sql.values]
}

describe('Q18 the SQL of a condition', () => {
  it.each([
    ['*', 'true'],
    ["deviceId = 'a'", '(t.device_id = $1::text)', 'a'],
    ["'a' = DEVICEID", '(t.device_id = $1::text)', 'a'],
    ["deviceId IN ['a', 'b', 1]", '(t.device_id = any($1::text[]))', ['a', 'b']],
    ["deviceId IN ['a', null]", '(t.device_id = $1::text or t.device_id is null)', 'a'],
    ["statusReason IN ['a', null]", '(d.status_reason = $1::text)', 'a'],
    ["etag = 'a'", "((encode(t.etag, 'base64')) = $1::text)", 'a'],
    ["connectionState = 'on'", '(s.gateway is not null)'],
    ["connectionState IN ['off', 'on', 'ON']", '(s.gateway is null or s.gateway is not null)'],
    ["connectionState = 'ON'", '(false)'],
    ["tags.x = 'y'", '(t.tags @> $1::text::jsonb)', '{"x":"y"}'],
    ['tags.a.b = -1.5', '(t.tags @> $1::text::jsonb)', '{"a":{"b":-1.5}}'],
    ['tags.flag', '(t.tags @> $1::text::jsonb)', '{"flag":true}'],
    ["tags['__proto__'] = null", '(t.tags @> $1::text::jsonb)', '{"__proto__":null}'],
    [
      'tags.x IN [1, 2]',
      '(t.tags @> any($1::text[]::jsonb[]) and t.tags -> $2::text = any($3::text[]::jsonb[]))',
      ['{"x":1}', '{"x":2}'],
      'x',
      ['1', '2'],
    ],
    [
      "properties.desired.l[2] = 'y'",
      "(jsonb_path_query_first(t.desired -> $1::text, $2::text::jsonpath, '{}', true) = $3::text::jsonb)",
      'l',
      'strict $[2]',
      '"y"',
    ],
    [
      "deviceId = 'a' AND (tags.x = 1 OR tags.y = 2)",
      '((t.device_id = $1::text) and ((t.tags @> $2::text::jsonb) or (t.tags @> $3::text::jsonb)))',
      'a',
      '{"x":1}',
      '{"y":2}',
    ],
    ["NOT deviceId = 'a'", '(not (t.device_id is not distinct from $1::text))', 'a'],
    ['properties.desired.$version > 3', 'coalesce(t.desired_version::numeric > $1::text::numeric)', '3'],
    ["lastActivityTime > '2026-03-01'", '(s.active_at > $1::text::timestamptz)', '2026-03-01T00:00Z'],
    ["tags.x = 'a\\u0000'", 'false'],
    ["tags['a\\u0000'] = 1", 'false'],
    ['unheardOf = 1', 'null::boolean'],
    ["devices['properties.desired'].x = 1", 'null::boolean'],
    ['1 < 2', 'true'],
    ['version.x = 1', 'null::boolean'],
  ])('%s is %s', (condition, ...expected) => {
    expect(compiled(condition)).toEqual(expected)
  })

  it('checks a long list of tags without the index', () => {
    const [sql] = compiled(`tags.x IN [${Array.from({ length: 51 }, (_, index) => index).join()}]`)
    expect(sql).toBe('(t.tags -> $1::text = any($2::text[]::jsonb[]))')
  })

  it('names the columns that it reads', () => {
    const roots = (text: string) => [...compileCondition(parseCondition(text), columns).roots]
    expect(roots('*')).toEqual([])
    expect(roots('tags.a = 1 AND NOT version + deviceId > 1 OR properties.desired.$version IN [1]')).toEqual([
      'tags',
      'version',
      'deviceId',
      'properties.desired.$version',
    ])
    expect(roots('IS_DEFINED(properties) OR unheardOf = 1')).toEqual([])
  })

  it('Q17 never holds a text of the caller but as a value', () => {
    const word = fc.string({ unit: fc.constantFrom('é', "'", '"', '$', '\\', ']', '-', ';', '0'), minLength: 1 })
    fc.assert(
      fc.property(word, word, (key, value) => {
        const quoted = (text: string) => `'QQ${text.replace(/['\\]/g, '\\$&')}'`
        const texts = [`tags[${quoted(key)}]`, quoted(value), `properties.desired[${quoted(key)}]`, 'version', 'etag']
        const conditions = texts.flatMap((left) =>
          texts.flatMap((right) => [
            `${left} = ${right}`,
            `NOT ${left} < ${right}`,
            `${left} + ${right} = 1`,
            `STARTSWITH(${left}, ${right})`,
            `${left} IN [${quoted(value)}, 1]`,
          ]),
        )
        for (const condition of conditions) {
          const { sql } = compileCondition(parseCondition(condition), columns)
          expect(sql.strings.join('')).not.toMatch(/QQ|é|;/)
          expect(sql.strings).toHaveLength(sql.values.length + 1)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('grows with the condition, not with its nesting', () => {
    const size = (operators: number) => {
      const { sql } = compileCondition(parseCondition(`tags.a${' * tags.a'.repeat(operators)} = 1`), columns)
      return sql.strings.join('').length
    }
    expect(size(60) - size(40)).toBe(size(40) - size(20))
  })
})
