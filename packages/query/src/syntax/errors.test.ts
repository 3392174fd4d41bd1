import { limits } from '@muster/contract'
import { describe, expect, it } from 'vitest'
import { QueryError } from './errors.ts'
import { parseCondition, parseQuery } from './parse.ts'

function errorOf(parse: () => unknown): QueryError {
  try {
    parse()
  } catch (error) {
    if (error instanceof QueryError) return error
    throw error
  }
  throw new Error('expected a QueryError')
}

describe('Q14 the error of a condition', () => {
  it('has the frame that clients know, and counts from 1 behind the words before the condition', () => {
    const error = errorOf(() => parseCondition('WHERE a = 1'))
    expect(error.message).toBe(
      'SQL query parse failed due to following errors: \n\tLine 1:29 found "WHERE", expected a member, a constant, a function or (. A condition is only the part after WHERE.',
    )
    expect(error).toMatchObject({
      line: 1,
      column: 29,
      found: '"WHERE"',
      hint: 'A condition is only the part after WHERE.',
    })
  })

  it('counts columns of later lines from the start of the line', () => {
    expect(errorOf(() => parseCondition('a = 1 AND\n  b == 2'))).toMatchObject({ line: 2, column: 5, found: '"=="' })
  })

  it.each([
    ['', 'the end of the text', 'a member, a constant, a function or ('],
    ['  ', 'the end of the text', 'a member, a constant, a function or ('],
    ['a =', 'the end of the text', 'a member, a constant, a function or ('],
    ['(a = 1', 'the end of the text', ')'],
    ['a = 1)', '")"', 'an operator or the end'],
    ['a = 1 b', '"b"', 'an operator or the end'],
    ['a = AND', '"AND"', 'a member, a constant, a function or ('],
    ['* AND a', '"AND"', 'the end of the condition'],
    ['a.1', '"1"', 'a name'],
    ['a[[b]]', '"[[b]]"', 'a dot before a name in double brackets'],
    ['a[b]', '"b"', 'a name in quotes or an index'],
    ['a[1.5]', '"1.5"', 'a name in quotes or an index'],
    ['a[-1]', '"-"', 'a name in quotes or an index'],
    ['a[0', 'the end of the text', ']'],
    ['a IN []', '"]"', 'a number, a string, true, false or null'],
    ['a IN [b]', '"b"', 'a number, a string, true, false or null'],
    ['a IN [undefined]', '"undefined"', 'a number, a string, true, false or null'],
    ["a IN [-'x']", `"'x'"`, 'a number'],
    ['a IN [1', 'the end of the text', ']'],
    ['a IN [1,]', '"]"', 'a number, a string, true, false or null'],
    ['a # 1', '"#"', 'an operator or the end'],
    ['IS_DEFINED()', '0 operands', 'IS_DEFINED(member)'],
    ['STARTSWITH(a)', '1 operands', 'STARTSWITH(value, value)'],
    ["IS_DEFINED('tags.a')", `"'tags.a')"`, 'IS_DEFINED(member)'],
    ['IS_NULL(a, b)', '2 operands', 'IS_NULL(value)'],
  ])('of %j names what was found and what was expected', (text, found, expected) => {
    expect(errorOf(() => parseCondition(text))).toMatchObject({ found, expected })
  })

  it.each([
    ["a LIKE 'n%'", 'LIKE', 'STARTSWITH(member'],
    ['a BETWEEN 1 AND 2', 'BETWEEN', '>= low AND member <= high'],
    ['a NOT IN [1]', 'NOT', 'NIN [...]'],
    ['a IN (1, 2)', '(', "IN ['a', 'b']"],
    ['a == 1', '==', 'one sign'],
    ['a = 1 && b', '&&', 'AND'],
    ['a = 1 || b', '||', 'OR'],
    ['!a', '!', 'NOT'],
    ['a ? 1', '?', 'no conditional'],
    ['a ?? 1', '??', 'IS_DEFINED'],
    ['a IS NULL', 'IS', 'IS_NULL'],
    ['a = 1 ORDER BY a', 'ORDER', 'no ORDER BY'],
    ['a = 1 GROUP BY a', 'GROUP', 'it selects devices'],
    ['TOP 5', 'TOP', 'every device that it selects'],
    ['a = 1 LIMIT 5', 'LIMIT', 'x-ms-max-item-count'],
    ['a = 1 OFFSET 5', 'OFFSET', 'continuation token'],
    ['a = 1 HAVING b', 'HAVING', 'before they are grouped'],
    ['a = NOT b', 'NOT', 'before a whole comparison'],
    ['FROM devices.modules WHERE a = 1', 'FROM', 'only the part after WHERE'],
    ['a = 1;', ';', 'without a semicolon'],
    ["a.['line-no'] = 1", '[', "no dot before them: tags['line-no']"],
    ['a.* = 1', '*', '* alone'],
    ['a.1 = 1', '1', 'written in brackets'],
    ['1 < a < 3', '<', 'join two with AND'],
    ["a = 'x' IN [true]", 'IN', 'join two with AND'],
    ['SELECT * FROM devices', 'SELECT', 'only the part after WHERE'],
    ["CONTAINS(a, 'x')", 'CONTAINS', 'STARTSWITH'],
    ["STARTS_WITH(a, 'x')", 'STARTS_WITH', 'STARTSWITH'],
    ['is_boolean(a)', 'is_boolean', 'IS_BOOL'],
    ['AS_NUMBER(a)', 'AS_NUMBER', 'IS_NUMBER'],
    ['EXISTS(a)', 'EXISTS', 'IS_DEFINED'],
    ['COUNT()', 'COUNT', 'aggregate'],
    ['GETDATE()', 'GETDATE', 'The functions are IS_DEFINED, STARTSWITH'],
  ])('of %j says what to write instead', (text, found, hint) => {
    const error = errorOf(() => parseCondition(text))
    expect(error.found).toBe(`"${found}"`)
    expect(error.hint).toContain(hint)
  })

  it('of a doubled quote says how a quote is written', () => {
    const error = errorOf(() => parseCondition("a = 'o''neil'"))
    expect(error).toMatchObject({ found: `"'neil'"`, hint: "A quote inside a string is written \\'." })
    expect(errorOf(() => parseCondition("a = 'o' 'neil'")).hint).toBeUndefined()
  })

  it('clips a long text', () => {
    expect(errorOf(() => parseCondition(`a ${'b'.repeat(500)}`)).found).toBe(`"${'b'.repeat(40)}..."`)
  })

  it('Q15 of a text beyond the limit names the limit, which counts the words before the condition', () => {
    const longest = `'${'x'.repeat(limits.queryLength - 30)}'`
    expect(parseCondition(longest)).not.toBeNull()
    const error = errorOf(() => parseCondition(`${longest} `))
    expect(error).toMatchObject({ line: 1, column: 8193, found: '8165 characters', expected: 'at most 8164' })
    expect(error.hint).toContain('deviceIds')
  })
})

describe('Q14 the error of a query', () => {
  it.each([
    ['', 1, 'the end of the text', 'SELECT'],
    ['SELECT', 7, 'the end of the text', '* or a member, an aggregate or another expression'],
    ['SELECT *', 9, 'the end of the text', 'FROM'],
    ['SELECT * FROM', 14, 'the end of the text', 'devices, devices.modules or devices.jobs'],
    ['SELECT * FROM things', 15, '"things"', 'devices, devices.modules or devices.jobs'],
    ['SELECT * FROM devices.things', 23, '"things"', 'devices, devices.modules or devices.jobs'],
    ['SELECT * FROM devices WHERE', 28, 'the end of the text', 'a member, a constant, a function or ('],
    ['SELECT * FROM devices WHERE *', 29, '"*"', 'a member, a constant, a function or ('],
    ['SELECT * FROM devices WHERE a = 1 b', 35, '"b"', 'an operator, GROUP BY or the end'],
    ['SELECT * FROM devices, devices.modules', 22, '","', 'WHERE, GROUP BY or the end of the query'],
    ["SELECT * FROM devices.jobs WHERE tags.site = 'x'", 34, '"tags"', 'a member of a device job'],
    ['SELECT * FROM devices.jobs WHERE devices.jobs.properties.a = 1', 34, '"properties"', 'a member of a device job'],
    ['SELECT * FROM devices.jobs WHERE devices.deviceId = 1', 34, '"devices"', 'a member of a device job'],
  ])('%j is at column %i', (text, column, found, expected) => {
    expect(errorOf(() => parseQuery(text))).toMatchObject({ line: 1, column, found, expected })
  })

  it.each([
    ['SELECT FROM devices', '"FROM"', '* or a member, an aggregate or another expression', undefined],
    ['SELECT deviceId, FROM devices', '"FROM"', 'a member, an aggregate or another expression', undefined],
    ['SELECT deviceId', 'the end of the text', 'AS, a comma or FROM', undefined],
    ['SELECT deviceId WHERE a = 1', '"WHERE"', 'AS, a comma or FROM', 'between FROM and GROUP BY'],
    ['SELECT deviceId id FROM devices', '"id"', 'AS, a comma or FROM', 'A name stands behind AS.'],
    ['SELECT deviceId AS id a FROM devices', '"a"', 'a comma or FROM', 'A name stands behind AS.'],
    ['SELECT deviceId AS FROM devices', '"FROM"', 'a name', 'no reserved word'],
    ["SELECT deviceId AS 'id' FROM devices", `"'id'"`, 'a name', 'letters, digits, _ and $'],
    ['SELECT * AS twin FROM devices', '"AS"', 'FROM', undefined],
    ['SELECT *, deviceId FROM devices', '","', 'FROM', '* stands alone'],
    ['SELECT deviceId, * FROM devices', '"*"', 'a member, an aggregate or another expression', '* stands alone'],
    ['SELECT DISTINCT tags.a FROM devices', '"DISTINCT"', 'a member, a constant, a function or (', 'GROUP BY a member'],
    ['SELECT TOP * FROM devices', '"*"', 'a whole number from 1 to 9007199254740991', undefined],
    ['SELECT TOP 0 * FROM devices', '"0"', 'a whole number from 1 to 9007199254740991', undefined],
    ['SELECT TOP 1.5 * FROM devices', '"1.5"', 'a whole number from 1 to 9007199254740991', undefined],
    ['SELECT TOP -1 * FROM devices', '"-"', 'a whole number from 1 to 9007199254740991', undefined],
    ['SELECT TOP (5) * FROM devices', '"("', 'a whole number from 1 to 9007199254740991', 'without parentheses'],
    ['SELECT TOP 9007199254740992 * FROM devices', '"9007199254740992"', expect.any(String), undefined],
    ['SELECT * TOP 5 FROM devices', '"TOP"', 'FROM', 'SELECT TOP 10 *'],
  ])('of the select list of %j names what was found and what was expected', (text, found, expected, hint) => {
    expectError(text, { found, expected, hint })
  })

  it.each([
    ['SELECT COUNT FROM devices', '"FROM"', '(', 'COUNT() and AVG(member)'],
    ['SELECT COUNT(1) FROM devices', '"1"', 'a member', 'COUNT() counts rows'],
    ['SELECT AVG() FROM devices', '")"', 'a member', 'of one member'],
    ['SELECT AVG(*) FROM devices', '"*"', 'a member', 'of one member'],
    ['SELECT COUNT(DISTINCT tags.a) FROM devices', '"DISTINCT"', 'a member', 'GROUP BY a member'],
    ['SELECT SUM(tags.a + 1) FROM devices', '"+"', ')', 'no expression'],
    ['SELECT MIN(tags.a, tags.b) FROM devices', '","', ')', 'no expression'],
    ['SELECT COUNT() + 1 FROM devices', '"+"', 'AS, a comma or FROM', 'no part of an expression'],
    ['SELECT 1 + COUNT() FROM devices', '"COUNT"', 'a function of the language', 'an item of a select list'],
    ['SELECT (COUNT()) FROM devices', '"COUNT"', 'a function of the language', 'an item of a select list'],
    ['SELECT * FROM devices WHERE COUNT() > 1', '"COUNT"', 'a function of the language', 'an item of a select list'],
    ['SELECT 1, COUNT() FROM devices', '"1"', 'an aggregate or a member of GROUP BY', 'every other item'],
    ['SELECT devices . deviceId AS id, COUNT() FROM devices', '"devices . deviceId"', expect.any(String), 'GROUP BY'],
    [
      'SELECT tags.a.b FROM devices GROUP BY tags.a',
      '"tags.a.b"',
      'an aggregate or a member of GROUP BY',
      'every other',
    ],
    ["SELECT tags['0'] FROM devices GROUP BY tags[0]", `"tags['0']"`, 'an aggregate or a member of GROUP BY', 'every'],
    ['SELECT * FROM devices GROUP BY tags.a', '"GROUP BY"', 'the end of the query', '* is whole documents'],
    ['SELECT COUNT() FROM devices GROUP tags.a', '"tags"', 'BY', undefined],
    ['SELECT COUNT() FROM devices GROUP BY', 'the end of the text', 'a member', 'no expressions'],
    ['SELECT COUNT() FROM devices GROUP BY 1', '"1"', 'a member', 'no expressions'],
    ['SELECT COUNT() FROM devices GROUP BY tags.a + 1', '"+"', 'a comma or the end of the query', 'no expressions'],
    ['SELECT COUNT() FROM devices GROUP BY LOWER(tags.a)', '"("', 'a comma or the end of the query', 'no expressions'],
    ['SELECT COUNT() FROM devices GROUP BY tags.a WHERE b', '"WHERE"', expect.any(String), 'between FROM and GROUP BY'],
    ['SELECT COUNT() FROM devices GROUP BY tags.a HAVING b', '"HAVING"', expect.any(String), 'There is no HAVING'],
  ])('of the aggregates of %j names what was found and what was expected', (text, found, expected, hint) => {
    expectError(text, { found, expected, hint })
  })

  it.each([
    ['SELECT * FROM devices ORDER BY deviceId', '"ORDER"', 'groups by their keys'],
    ['SELECT * FROM devices LIMIT 5', '"LIMIT"', 'SELECT TOP 10'],
    ['SELECT * FROM devices OFFSET 5', '"OFFSET"', 'continuation token'],
    ['SELECT * FROM devices JOIN tags', '"JOIN"', 'one source'],
    ['SELECT * FROM devices d JOIN tags', '"JOIN"', 'one source'],
    ['SELECT * FROM devices UNION SELECT * FROM devices.modules', '"UNION"', 'one source'],
    ['SELECT * FROM devices;', '";"', 'without a semicolon'],
    ['SELECT * FROM devices WHERE a WHERE b', '"WHERE"', 'between FROM and GROUP BY'],
    ['SELECT * FROM devices WHERE (SELECT a)', '"SELECT"', 'no queries within a query'],
    ['SELECT COUNT() GROUP BY tags.a FROM devices', '"GROUP"', 'at the end'],
    ['SELECT jobId FROM devices.jobs', '"jobId"', 'come whole'],
    ['SELECT * FROM devices.jobs GROUP BY status', '"GROUP BY"', 'come whole'],
  ])('of %j says what to write instead', (text, found, hint) => {
    expectError(text, { found, expected: expect.any(String), hint })
  })

  function expectError(
    text: string,
    { hint, ...said }: { found: string; expected: unknown; hint: string | undefined },
  ) {
    expect(errorOf(() => parseQuery(text))).toMatchObject({
      ...said,
      line: 1,
      hint: hint === undefined ? undefined : expect.stringContaining(hint),
    })
  }

  it('Q15 of a text beyond the limit names the limit', () => {
    const text = 'SELECT * FROM devices'.padEnd(limits.queryLength)
    expect(parseQuery(text).where).toBeNull()
    expect(errorOf(() => parseQuery(`${text} `))).toMatchObject({ column: 8193, expected: 'at most 8192' })
  })
})
