import fc from 'fast-check'
import { expect, it } from 'vitest'
import { evaluate } from '../evaluation/evaluate.ts'
import { aggregate, project } from '../evaluation/rows.ts'
import type { Query, Selection } from '../language/ast.ts'
import type { Columns } from '../operands/columns.ts'
import { compileGrouping } from '../sql/grouping.ts'
import { compileCondition } from '../sql/sql.ts'
import { QueryError } from './errors.ts'
import { parseCondition, parseQuery } from './parse.ts'

const valid = [
  'SELECT * FROM devices',
  "SELECT * FROM devices WHERE tags.site = 'north' AND NOT (tags.floor NIN [1, -2.5, 'x', null, true])",
  'SELECT * FROM devices WHERE properties.reported.[[odd name]][0].$version % 60 <= 0x1F /* comment */ -- end',
  "select * from devices.jobs where devices.jobs.jobId = 'a\\u0062\\'c' or startTimeUtc > \"2026-03-01\"",
  "SELECT * FROM devices WHERE STARTSWITH(deviceId, 'a') OR IS_DEFINED(tags['x-y']) AND 1e3 / -tags.a != undefined",
  'SELECT TOP 10 deviceId, tags.[[x y]] AS xy, -tags.a * 2, NOT tags.b FROM devices.modules AS m WHERE m.tags.a = 1',
  'select tags.a, count(), Avg(tags.b) as avg, MIN(tags.c) FROM devices d WHERE d.tags.a != 1 GROUP BY tags.a, tags[0]',
]

const columns: Columns = new Map([['tags', { kind: 'json', sql: 'tags' }]])
const twin = { tags: { a: 1 } }

function parseAsCondition(text: string): Pick<Query, 'select' | 'where'> {
  return { select: { kind: 'documents' }, where: parseCondition(text) }
}

/** Rows or an error with a position inside the text; nothing else, and no other exception. */
function expectAnswer(text: string): void {
  for (const parse of [parseQuery, parseAsCondition]) {
    try {
      const { select, where } = parse(text)
      const { sql } = compileCondition(where, columns)
      expect(sql.strings).toHaveLength(sql.values.length + 1)
      expect(typeof evaluate(where, twin)).toBe('boolean')
      expectRow(select)
    } catch (error) {
      if (!(error instanceof QueryError)) throw error
      const lines = text.split('\n')
      const length = (lines[error.line - 1] ?? '').length + (error.line === 1 ? 28 : 0)
      expect(error.line).toBeLessThanOrEqual(lines.length)
      expect(error.column).toBeGreaterThanOrEqual(1)
      expect(error.column).toBeLessThanOrEqual(length + 1)
      expect(error.found).not.toBe('')
      expect(error.expected).not.toBe('')
    }
  }
}

function expectRow(select: Selection): void {
  if (select.kind === 'projection') expect(typeof project(select, twin)).toBe('object')
  if (select.kind !== 'grouping') return
  expect(aggregate(select, [twin])).toHaveLength(1)
  const { row, group } = compileGrouping(select, columns)
  for (const { strings, values } of [row, group]) expect(strings).toHaveLength(values.length + 1)
}

it('Q14 any text is a query or an error with a position', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom(...`SELECT TOP * FROM devices WHERE GROUP BY a.b['c'] <>!= "\\u00" 0x1e+5/*--[[]](){},;`),
    }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.uint16Array({ maxLength: 100 }).map((units) => String.fromCharCode(...units)),
  )
  fc.assert(fc.property(texts, expectAnswer), { numRuns: 3000 })
})

it('Q14 any change to a valid query gives a query or an error with a position', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '(',
      ')',
      '[',
      ']',
      "'",
      '"',
      '\\',
      '.',
      ',',
      '-',
      '=',
      ' ',
      '\n',
      ' AND ',
      ' NOT ',
      ' IN ',
      ' AS ',
      ' GROUP BY ',
      'COUNT(',
      '*',
      '/*',
    ),
    fc.string({ maxLength: 3 }),
  )
  const mutation = fc.tuple(fc.nat(120), fc.nat(10), piece)
  fc.assert(
    fc.property(fc.constantFrom(...valid), fc.array(mutation, { maxLength: 4 }), (query, mutations) => {
      expectAnswer(
        mutations.reduce(
          (text, [at, length, inserted]) => text.slice(0, at) + inserted + text.slice(at + length),
          query,
        ),
      )
    }),
    { numRuns: 3000 },
  )
})

it('Q15 deep nesting of any kind is an error, never a lost stack', () => {
  const openers = [
    'SELECT ',
    'AVG(',
    '(',
    'NOT ',
    '-(',
    'IS_NULL(',
    '1+(',
    'a=(',
    '[',
    'a IN [',
    "a['",
    'a[[',
    '/*',
    'a.',
    '-',
  ]
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...openers), { minLength: 1, maxLength: 4 }), (parts) => {
      expectAnswer(parts.join('').repeat(2000).slice(0, 8164))
    }),
  )
})
