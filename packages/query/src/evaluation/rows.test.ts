import type { JsonObject } from '@muster/contract'
import { describe, expect, it } from 'vitest'
import { parseQuery } from '../syntax/parse.ts'
import { aggregate, groupRow, project } from './rows.ts'

function projected(list: string, document: JsonObject): JsonObject {
  const { select } = parseQuery(`SELECT ${list} FROM devices`)
  if (select.kind !== 'projection') throw new Error(`no projection: ${list}`)
  return project(select, document)
}

function grouped(query: string, documents: readonly JsonObject[]): readonly JsonObject[] {
  return aggregate(groupingOf(query), documents)
}

function groupingOf(query: string) {
  const { select } = parseQuery(`SELECT ${query.replace(/( GROUP|$)/, ' FROM devices$1')}`)
  if (select.kind !== 'grouping') throw new Error(`no grouping: ${query}`)
  return select
}

/** Twins whose tag a is each of these values; undefined: they have none. */
function twinsOf(...values: readonly JsonObject[string][]): readonly JsonObject[] {
  return values.map((a) => ({ tags: a === undefined ? {} : { a } }))
}

describe('Q22 the row of a projection', () => {
  const twin: JsonObject = {
    deviceId: 'lift-1',
    statusReason: null,
    tags: { floor: 3, wing: { side: 'east' }, doors: [1, 2] },
  }

  it.each([
    ['deviceId, tags.floor', { deviceId: 'lift-1', floor: 3 }],
    ['tags, tags.wing AS w', { tags: twin.tags, w: { side: 'east' } }],
    ['statusReason, tags.missing, tags.wing.side.x AS x', { statusReason: null }],
    ['tags.doors[1], tags.doors[2]', { $1: 2 }],
    ['tags.floor * 2 AS double, tags.floor / 0 AS none', { double: 6 }],
    ["tags.floor = 3 AS is3, tags.floor = '3' AS isText, tags.missing = 3 AS none", { is3: true, isText: false }],
    ["1, 'x', true, null, undefined", { $1: 1, $2: 'x', $3: true, $4: null }],
    ['IS_DEFINED(tags.missing) AS d, NOT tags.missing AS n', { d: false }],
    ['tags.missing', {}],
  ])('%s is %j', (list, row) => {
    expect(projected(list, twin)).toEqual(row)
  })

  it('has its items in their order, and any name for a member of its own', () => {
    const row = projected('tags.floor AS z, deviceId AS __proto__, 1 AS constructor', twin)

    expect(Object.entries(row)).toEqual([
      ['z', 3],
      ['__proto__', 'lift-1'],
      ['constructor', 1],
    ])
  })
})

describe('Q23 an aggregate', () => {
  const all =
    'COUNT() AS n, COUNT(tags.a) AS c, SUM(tags.a) AS s, AVG(tags.a) AS avg, MIN(tags.a) AS min, MAX(tags.a) AS max'
  const none = {} as const

  it.each([
    ['of numbers', twinsOf(3, -1, 0.5), { n: 3, c: 3, s: 2.5, avg: 2.5 / 3, min: -1, max: 3 }],
    ['of nothing', [], { n: 0, c: 0, s: 0 }],
    ['of twins without the member', [none, none], { n: 2, c: 0, s: 0 }],
    ['of texts', twinsOf('b', 'B', 'a'), { n: 3, c: 3, s: 0, min: 'B', max: 'b' }],
    ['of texts by code point', twinsOf('\uffff', '\u{1f600}'), { n: 2, c: 2, s: 0, min: '\uffff', max: '\u{1f600}' }],
    ['of texts and numbers', twinsOf('0', 5, 7), { n: 3, c: 3, s: 12, avg: 6, min: 5, max: 7 }],
    [
      'of texts, and of twins without the member',
      [...twinsOf('b', 'a'), none],
      { n: 3, c: 2, s: 0, min: 'a', max: 'b' },
    ],
    ['of texts and null', twinsOf('b', null), { n: 2, c: 2, s: 0 }],
    ['of what is no number', twinsOf(true, null, {}, [1]), { n: 4, c: 4, s: 0 }],
    ['of one zero', twinsOf(-0), { n: 1, c: 1, s: 0, avg: 0, min: 0, max: 0 }],
  ])('%s', (_, twins, row) => {
    expect(JSON.parse(JSON.stringify(grouped(all, twins)))).toEqual([row])
  })

  it('of a member that compares as an instant is of the texts that the wire shows', () => {
    const twins = ['2026-05-04T06:00:00.500Z', '2026-05-04T06:00:00.000Z'].map((lastActivityTime) => ({
      lastActivityTime,
    }))
    expect(grouped('MIN(lastActivityTime) AS first', twins)).toEqual([{ first: '2026-05-04T06:00:00.000Z' }])
  })
})

describe('Q24 a sum', () => {
  it.each([
    ['is that of the decimals', [0.1, 0.2, 0.3], 0.6],
    ['does not lose small numbers beside large ones', [1e308, 1, -1e308], 1],
    ['may leave the range on its way', [1.7e308, 1.7e308, -1.7e308], 1.7e308],
    ['is rounded once', [9007199254740992, 1, 1], 9007199254740994],
    ['keeps the least numbers', [5e-324, 5e-324], 1e-323],
    ['out of range is left out', [1.7e308, 1.7e308], undefined],
  ])('%s', (_, numbers, sum) => {
    expect(grouped('SUM(tags.a) AS s', twinsOf(...numbers))).toEqual([sum === undefined ? {} : { s: sum }])
  })

  it('out of range leaves the average out, too', () => {
    expect(grouped('AVG(tags.a) AS a', twinsOf(1.7e308, 1.7e308))).toEqual([{}])
  })

  it('has an average without a negative zero', () => {
    expect(grouped('AVG(tags.a) AS a', twinsOf(-5e-324, 0, 0))).toEqual([{ a: 0 }])
  })

  it('is divided as a double', () => {
    expect(grouped('AVG(tags.a) AS a', twinsOf(0.1, 0.2, 0.3))).toEqual([{ a: 0.6 / 3 }])
  })
})

describe('Q25 a group', () => {
  it('is of equal values of its keys, of any type', () => {
    const twins = twinsOf(1, '1', true, 'true', null, { x: 1, y: [2] }, { y: [2], x: 1 }, [1], 1, 'a', 'A')
    expect(grouped('tags.a, COUNT() AS n GROUP BY tags.a', twins)).toEqual([
      { a: 1, n: 2 },
      { a: '1', n: 1 },
      { a: true, n: 1 },
      { a: 'true', n: 1 },
      { a: null, n: 1 },
      { a: { x: 1, y: [2] }, n: 2 },
      { a: [1], n: 1 },
      { a: 'a', n: 1 },
      { a: 'A', n: 1 },
    ])
  })

  it('of twins without the member is one of its own, and leaves the key out', () => {
    expect(grouped('tags.a, COUNT() AS n GROUP BY tags.a', [...twinsOf(null), {}, {}])).toEqual([
      { a: null, n: 1 },
      { n: 2 },
    ])
  })

  it('has several keys, which need not be items', () => {
    const twins = [1, 1, 2].map((a, index) => ({ tags: { a, b: index > 0 } }))
    expect(grouped('tags.b, SUM(tags.a) AS s GROUP BY tags.a, tags.b', twins)).toEqual([
      { b: false, s: 1 },
      { b: true, s: 1 },
      { b: true, s: 2 },
    ])
  })

  it('can be of whole members of the root', () => {
    const properties = { desired: { $version: 1 }, reported: {} }
    expect(grouped('properties, COUNT() AS n GROUP BY properties', [{ properties }, { properties }])).toEqual([
      { properties, n: 2 },
    ])
  })

  it('without keys is all twins, even when there is none; with keys there may be no group', () => {
    expect(grouped('COUNT() AS n', [])).toEqual([{ n: 0 }])
    expect(grouped('COUNT() AS n GROUP BY tags.a', [])).toEqual([])
  })

  it('has a row from what Postgres tells', () => {
    const grouping = groupingOf(
      'COUNT() AS n, tags.b, AVG(tags.c) AS avg, tags.a, MIN(tags.c) AS min GROUP BY tags.a, tags.b',
    )
    expect(groupRow(grouping, [[null], []], [4, [0.6, 3], 'x'])).toEqual({ n: 4, avg: 0.6 / 3, a: null, min: 'x' })
    expect(groupRow(grouping, [[], [0]], [0, [null, 0], null])).toEqual({ n: 0, b: 0 })
  })
})
