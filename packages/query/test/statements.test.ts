import {
  type Column,
  type Columns,
  compileCondition,
  maxNesting,
  parseCondition,
  type SqlValue,
  truthTable,
} from '@muster/query'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { numbered } from './statement.ts'

const database = postgres(inject('databaseUrl'), { max: 1, onnotice: () => {} })
afterAll(() => database.end())

const columns: Columns = new Map<string, Column>([
  ['deviceId', { kind: 'text', sql: 'device_id' }],
  ['tags', { kind: 'json', sql: 'tags', undefinedWhenEmpty: true }],
])

beforeAll(async () => {
  await database.unsafe(`
    create temporary table twins (device_id text primary key, tags jsonb not null);
    create index twins_tags on twins using gin (tags jsonb_path_ops);
    insert into twins
      select 'd' || n, jsonb_build_object('floor', n, 'flag', n % 2 = 0) from generate_series(1, 1000) n;
    analyze twins;
    set enable_seqscan = off`)
})

async function run(text: string, prefix = ''): Promise<readonly string[]> {
  const values: SqlValue[] = []
  const where = numbered(compileCondition(parseCondition(text), columns).sql, values)
  const statement = `${prefix} select device_id from twins where ${where}`
  const rows = await database.unsafe(statement, values as string[]).values()
  return rows.map(([column]) => String(column))
}

describe('Q18 the statement of a condition', () => {
  it.each([
    ["deviceId = 'd7'", 'twins_pkey'],
    ["'d7' = deviceId", 'twins_pkey'],
    ["deviceId IN ['d7', 'd8']", 'twins_pkey'],
    ["deviceId IN ['d7'] OR deviceId = 'd8'", 'twins_pkey'],
    ['tags.floor = 7', 'twins_tags'],
    ['tags.floor IN [7, 8]', 'twins_tags'],
    ['tags.flag AND tags.floor = 8', 'twins_tags'],
    ["tags['floor'] = 7 AND NOT tags.floor = 8", 'twins_tags'],
    ["tags.floor = 7 OR deviceId = 'd8'", 'twins_tags'],
    ["tags.a.b.c = 'x'", 'twins_tags'],
  ])('answers %s by the index %s', async (text, index) => {
    expect((await run(text, 'explain')).join('\n')).toContain(index)
  })

  it.each([
    ['a list of thousands', `tags.floor IN [${range(1800).join()}]`, 1000],
    [
      'hundreds of alternatives',
      range(400)
        .map((n) => `tags.floor=${n + 1}`)
        .join(' OR '),
      400,
    ],
    ['parentheses', `${'('.repeat(maxNesting)}tags.floor = 7${')'.repeat(maxNesting)}`, 1],
    ['NOTs', `${'NOT '.repeat(maxNesting - 1)}tags.floor = 7`, 999],
    ['a chain of additions', `tags.floor${' + 1'.repeat(maxNesting - 1)} = ${maxNesting + 6}`, 1],
    ['nested remainders', `7 = ${'('.repeat(maxNesting - 2)}tags.floor${' % 2000)'.repeat(maxNesting - 2)}`, 1],
    ['a list for a long sum', `${longPath} + 1 NIN [${range(1600).join()}]`, 0],
    ['a list for a long comparison', `(${longPath} = 1) NIN [${range(1600).join()}]`, 0],
    ['a path of steps and indices', `NOT IS_DEFINED(tags${'.a[0]'.repeat(maxNesting / 2)})`, 1000],
  ])('runs %s, as many as the limits allow', async (_, text, count) => {
    expect(await run(text)).toHaveLength(count)
  })

  it('Q16 raises no error for numbers that no double can hold', async () => {
    await database`
      insert into twins values
        ('huge', '{"n": 1e400}'), ('low', '{"n": -1e400}'), ('tiny', '{"n": 1e-400}'), ('fine', '{"n": 1}')`
    expect(await run('tags.n > 5')).toEqual(['huge'])
    expect(await run('(tags.n + 0) = 1')).toEqual(['fine'])
    expect(await run('tags.n * tags.n < 5')).toEqual(['fine'])
    expect(await run('(tags.floor + 1) < tags.n')).toEqual([])
    expect(await run('(1 - tags.n) = tags.n OR (1 - tags.n) <= 0')).toEqual(['fine'])
  })

  it.each([
    ["tags.floor + 1 IN ['4', true, 2, null, 3]", 2],
    ["tags.floor + 1 NIN ['x', false]", 1000],
    ["tags.spare + 1 NIN ['x', false]", 0],
    ['(tags.floor = 1) IN [true, 5]', 1],
    ['(tags.spare = 1) NIN [true]', 0],
  ])('Q8 runs %s, a list of what is worked out', async (text, count) => {
    expect(await run(`${text} AND STARTSWITH(deviceId, 'd')`)).toHaveLength(count)
  })

  it('Q1 has the truth tables of the language in AND, OR and NOT', async () => {
    const written = { true: '(1 = 1)', false: '(1 = 2)', undefined: '(undefined = 1)' }
    const truths = ['true', 'false', 'undefined'] as const
    const truthOf = async (text: string) => {
      const [isTrue, isFalse] = [await run(text), await run(`NOT (${text})`)]
      return isTrue.length > 0 ? true : isFalse.length > 0 ? false : undefined
    }
    for (const left of truths) {
      expect(await truthOf(`NOT ${written[left]}`)).toBe(truthTable.not[left])
      for (const right of truths) {
        expect(await truthOf(`${written[left]} AND ${written[right]}`)).toBe(truthTable.and[left][right])
        expect(await truthOf(`${written[left]} OR ${written[right]}`)).toBe(truthTable.or[left][right])
      }
    }
  })
})

const longPath = `tags${'.a'.repeat(maxNesting)}`

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}
