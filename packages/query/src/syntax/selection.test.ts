import { describe, expect, it } from 'vitest'
import { evaluate } from '../evaluation/evaluate.ts'
import type { Path } from '../language/ast.ts'
import { parseQuery } from './parse.ts'
import { maxItems } from './select-list.ts'

/** The items of a query with their names, and its keys. */
function selected(text: string): string {
  const { select } = parseQuery(text)
  switch (select.kind) {
    case 'documents':
      return '*'
    case 'projection':
      return select.items.map(({ name, expression }) => `${name} is a ${expression.kind}`).join(', ')
    case 'grouping': {
      const items = select.items.map((item) =>
        item.kind === 'key'
          ? `${item.name} is key ${item.key}`
          : `${item.name} is ${item.aggregate}(${item.operand === null ? '' : written(item.operand)})`,
      )
      return `${items.join(', ')} by ${select.keys.map(written).join(', ')}`
    }
  }
}

function written({ root, steps }: Path): string {
  return [root, ...steps].join('/')
}

describe('Q19 a query', () => {
  it.each([
    ['SELECT * FROM devices', '*'],
    ['select\n*\nfrom Devices', '*'],
    ['SELECT deviceId, tags.a = 1, 2 FROM devices', 'deviceId is a path, $2 is a comparison, $3 is a constant'],
    ['SELECT NOT tags.a, (tags.b), -1 FROM devices', '$1 is a not, b is a path, $3 is a constant'],
    ['SELECT COUNT() FROM devices', '$1 is COUNT() by '],
    ['SELECT count ( * ) FROM devices', '$1 is COUNT() by '],
    ['SELECT Count(tags.a), aVg(tags.b) FROM devices', '$1 is COUNT(tags/a), $2 is AVG(tags/b) by '],
    ['SELECT tags.a, MAX(tags.b) FROM devices WHERE b group BY tags.a', 'a is key 0, $2 is MAX(tags/b) by tags/a'],
    ['SELECT tags.a FROM devices GROUP BY tags.a', 'a is key 0 by tags/a'],
    ['SELECT COUNT() FROM devices GROUP BY tags.a, properties', '$1 is COUNT() by tags/a, properties'],
    ['SELECT tags.b, tags.a FROM devices GROUP BY tags.a, tags.b', 'b is key 1, a is key 0 by tags/a, tags/b'],
    ["SELECT TAGS['a'] FROM devices GROUP BY devices.tags.a", 'a is key 0 by tags/a'],
  ])('%j selects %j', (text, items) => {
    expect(selected(text)).toBe(items)
  })

  it.each([
    ['SELECT * FROM devices', 'devices'],
    ['SELECT * FROM DEVICES.Modules', 'devices.modules'],
    ['SELECT * FROM devices . jobs', 'devices.jobs'],
  ])('%j has the source %s', (text, source) => {
    expect(parseQuery(text).source).toBe(source)
  })

  it('finds members of modules behind the name of their source, too', () => {
    expect(selected('SELECT MODULEID, COUNT() FROM devices.modules GROUP BY devices.modules.moduleId')).toBe(
      'moduleId is key 0, $2 is COUNT() by moduleId',
    )
  })

  it.each([
    'SELECT d.deviceId FROM devices d WHERE d.tags.a = 1',
    'SELECT D.deviceId FROM devices AS d WHERE devices.tags.a = 1 AND tags.a = 1',
    'SELECT a.deviceId FROM devices a WHERE a.tags.a = 1',
    'SELECT m.deviceId FROM devices.modules m WHERE M.tags.a = 1',
    'SELECT * FROM devices.jobs AS j WHERE j.deviceId = devices.jobs.deviceId',
  ])('may call its source by an alias: %s', (text) => {
    expect(evaluate(parseQuery(text).where, { deviceId: 'lift-1', tags: { a: 1 } })).toBe(true)
  })

  it.each(['tags', 'DEVICEID', 'Properties'])('has no alias that is a member of the source, as %s is', (alias) => {
    const query = `SELECT * FROM devices ${alias}`
    expect(() => parseQuery(query)).toThrow(`found "${alias}", expected an alias that is no member of devices.`)
  })

  it.each(['select', 'AND', 'null', 'by'])('has no alias that is a reserved word, as %s is', (alias) => {
    const query = `SELECT * FROM devices AS ${alias}`
    expect(() => parseQuery(query)).toThrow(
      `found "${alias}", expected an alias, which is a name and no reserved word.`,
    )
  })

  it(`Q15 has at most ${maxItems} items and keys in all`, () => {
    const items = (count: number) => Array.from({ length: count }, (_, index) => `tags.t${index} AS t${index}`).join()
    const keys = (count: number) => Array.from({ length: count }, (_, index) => `tags.t${index}`).join()

    expect(selected(`SELECT ${items(maxItems)} FROM devices`)).toContain(`t${maxItems - 1} is a path`)
    expect(selected(`SELECT COUNT() FROM devices GROUP BY ${keys(maxItems - 1)}`)).toContain('COUNT()')
    expect(() => parseQuery(`SELECT ${items(maxItems + 1)} FROM devices`)).toThrow('expected at most 64 items.')
    expect(() => parseQuery(`SELECT COUNT() FROM devices GROUP BY ${keys(maxItems)}`)).toThrow(
      'Line 1:29 found 1 items and 64 members of GROUP BY, expected at most 64 in all.',
    )
  })
})

describe('Q20 TOP', () => {
  it.each([
    ['SELECT TOP 1 * FROM devices', 1],
    ['select top 007 deviceId FROM devices', 7],
    ['SELECT TOP 3 COUNT() FROM devices GROUP BY tags.a', 3],
    ['SELECT TOP 9007199254740991 * FROM devices.jobs', Number.MAX_SAFE_INTEGER],
    ['SELECT * FROM devices', null],
  ])('of %j is %j', (text, top) => {
    expect(parseQuery(text).top).toBe(top)
  })
})

describe('Q21 the name of an item', () => {
  it.each([
    ['tags.a AS b', 'b'],
    ['COUNT() AS count', 'count'],
    ['COUNT() AS $total_1', '$total_1'],
    ['tags.a AS __proto__', '__proto__'],
    ['DEVICEID', 'deviceId'],
    ['devices.lastactivitytime', 'lastActivityTime'],
    ['properties.Reported', 'reported'],
    ['properties.reported.Speed', 'Speed'],
    ["tags['line-no']", 'line-no'],
    ['tags.[[line no]]', 'line no'],
    ["tags['0']", '0'],
    ["tags['']", ''],
    ['tags.select', 'select'],
    ['unheardOf', 'unheardOf'],
    ['tags.a[0]', '$1'],
    ['tags.a + 1', '$1'],
    ["'a'", '$1'],
    ['MAX(tags.a)', '$1'],
  ])('%s is %j', (item, name) => {
    const { select } = parseQuery(`SELECT ${item} FROM devices`)
    expect(select).toMatchObject({ items: [{ name }] })
  })

  it('that has none is its place in the list', () => {
    expect(selected('SELECT tags.a, 1, 2 AS two, tags.c[1] FROM devices')).toBe(
      'a is a path, $2 is a constant, two is a constant, $4 is a path',
    )
  })

  it.each([
    ['tags.a, properties.reported.a', 'properties.reported.a', 'a'],
    ['deviceId, tags.b AS deviceId', 'tags.b', 'deviceId'],
    ['tags.$2, 1 + 1', '1 + 1', '$2'],
  ])('is that of no other item: %s', (items, second, name) => {
    expect(() => parseQuery(`SELECT ${items} FROM devices`)).toThrow(
      `found "${second}", expected an item with a name of its own. Two items are called "${name}": give one another name with AS.`,
    )
  })
})

describe('Q27 Q28 the rows of a query', () => {
  it.each([
    ['SELECT * FROM devices', 'documents'],
    ['SELECT TOP 5 * FROM devices.modules', 'documents'],
    ['SELECT TOP 5 * FROM devices.jobs', 'documents'],
    ['SELECT deviceId FROM devices', 'projection'],
    ['SELECT COUNT() FROM devices.modules', 'grouping'],
    ['SELECT tags.a FROM devices GROUP BY tags.a', 'grouping'],
  ])('of %j are %s', (text, kind) => {
    expect(parseQuery(text).select.kind).toBe(kind)
  })

  it.each(['jobId', 'COUNT()', 'tags.a', '1, *'])('of devices.jobs are no %s', (list) => {
    expect(() => parseQuery(`SELECT ${list} FROM devices.jobs`)).toThrow(/expected (\*\.|a member, an aggregate)/)
  })
})
