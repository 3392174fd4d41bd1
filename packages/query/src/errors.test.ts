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
      'SQL query parse failed due to following errors: \n\tLine 1:29 found "WHERE", expected a member, a constant, a function or (. A condition is only what stands after WHERE.',
    )
    expect(error).toMatchObject({
      line: 1,
      column: 29,
      found: '"WHERE"',
      hint: 'A condition is only what stands after WHERE.',
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
    ['a = 1 GROUP BY a', 'GROUP', 'not supported'],
    ['a = 1 LIMIT 5', 'LIMIT', 'x-ms-max-item-count'],
    ['a = 1;', ';', 'without a semicolon'],
    ['1 < a < 3', '<', 'join two with AND'],
    ["a = 'x' IN [true]", 'IN', 'join two with AND'],
    ['SELECT * FROM devices', 'SELECT', 'only what stands after WHERE'],
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
    ['SELECT', 7, 'the end of the text', '*'],
    ['SELECT COUNT() AS n FROM devices', 8, '"COUNT"', '*'],
    ['SELECT TOP 3 * FROM devices', 8, '"TOP"', '*'],
    ['SELECT * FROM things', 15, '"things"', 'devices or devices.jobs'],
    ['SELECT * FROM devices.modules', 23, '"modules"', 'devices or devices.jobs'],
    ['SELECT * FROM devices WHERE', 28, 'the end of the text', 'a member, a constant, a function or ('],
    ['SELECT * FROM devices ORDER BY deviceId', 23, '"ORDER"', 'WHERE or the end of the query'],
    ['SELECT * FROM devices WHERE a = 1 GROUP BY a', 35, '"GROUP"', 'an operator or the end'],
    ['SELECT * FROM devices;', 22, '";"', 'WHERE or the end of the query'],
    ['SELECT * FROM devices WHERE *', 29, '"*"', 'a member, a constant, a function or ('],
    ["SELECT * FROM devices.jobs WHERE tags.site = 'x'", 34, '"tags"', 'a member of a device job'],
    ['SELECT * FROM devices.jobs WHERE devices.jobs.properties.a = 1', 34, '"properties"', 'a member of a device job'],
    ['SELECT * FROM devices.jobs WHERE devices.deviceId = 1', 34, '"devices"', 'a member of a device job'],
  ])('%j is at column %i', (text, column, found, expected) => {
    expect(errorOf(() => parseQuery(text))).toMatchObject({ line: 1, column, found, expected })
  })

  it('Q15 of a text beyond the limit names the limit', () => {
    const text = 'SELECT * FROM devices'.padEnd(limits.queryLength)
    expect(parseQuery(text).where).toBeNull()
    expect(errorOf(() => parseQuery(`${text} `))).toMatchObject({ column: 8193, expected: 'at most 8192' })
  })
})
