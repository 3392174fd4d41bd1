import { describe, expect, it } from 'vitest'
import type { Expression } from '../language/ast.ts'
import { maxNesting } from './cursor.ts'
import { parseCondition, parseQuery } from './parse.ts'

/** The expression with every pair of parentheses that its structure has. */
function written(node: Expression | null): string {
  switch (node?.kind) {
    case undefined:
      return '*'
    case 'constant':
      return node.value === undefined ? 'undefined' : JSON.stringify(node.value)
    case 'path':
      return [node.root, ...node.steps.map((step) => `[${JSON.stringify(step)}]`)].join('')
    case 'not':
      return `(not ${written(node.operand)})`
    case 'and':
    case 'or':
      return `(${node.operands.map(written).join(` ${node.kind} `)})`
    case 'comparison':
    case 'arithmetic':
      return `(${written(node.left)} ${node.operator} ${written(node.right)})`
    case 'membership':
      return `(${written(node.operand)} ${node.isNegated ? 'nin' : 'in'} ${JSON.stringify([...node.values])})`
    case 'call':
      return `${node.name}(${node.operands.map(written).join(', ')})`
  }
}

describe('Q3 the parser', () => {
  it.each([
    ['a OR b AND c OR d', '(a or (b and c) or d)'],
    ['(a OR b) AND c', '((a or b) and c)'],
    ['NOT a = 1 AND b', '((not (a = 1)) and b)'],
    ['NOT NOT a', '(not (not a))'],
    ['NOT (a AND b)', '(not (a and b))'],
    ['a = 1 AND NOT b = 2', '((a = 1) and (not (b = 2)))'],
    ['a + b * c - d', '((a + (b * c)) - d)'],
    ['a % b / c', '((a % b) / c)'],
    ['a + 1 < b * 2', '((a + 1) < (b * 2))'],
    ['-a * b', '((0 - a) * b)'],
    ['2 - -3', '(2 - -3)'],
    ['a - -b', '(a - (0 - b))'],
    ['a <> b', '(a != b)'],
    ['(a = b) = c', '((a = b) = c)'],
    ['a + 1 IN [1]', '((a + 1) in [1])'],
    ['and_more or orange', '(and_more or orange)'],
  ])('reads %s as %s', (text, structure) => {
    expect(written(parseCondition(text))).toBe(structure)
  })

  it.each([
    ['tags.site', 'tags["site"]'],
    ['tags["site"]', 'tags["site"]'],
    ["tags['line-no'].x", 'tags["line-no"]["x"]'],
    ['tags.[[line no]].x', 'tags["line no"]["x"]'],
    ['tags.a[0][12]', 'tags["a"][0][12]'],
    ["tags['0']", 'tags["0"]'],
    ['tags . a [ 0 ]', 'tags["a"][0]'],
    ['tags.select.FROM.in.null', 'tags["select"]["FROM"]["in"]["null"]'],
    ['properties.reported.$metadata.fw.$lastUpdated', 'properties["reported"]["$metadata"]["fw"]["$lastUpdated"]'],
    ['tags.line-no', '(tags["line"] - no)'],
  ])('reads the path %s as %s', (text, structure) => {
    expect(written(parseCondition(text))).toBe(structure)
  })

  it('takes keywords, constants and functions in any letter case', () => {
    expect(written(parseCondition('not Is_Defined(a) Or b nIn [TRUE, Null] aNd uNdefined = False'))).toBe(
      '((not IS_DEFINED(a)) or ((b nin [true,null]) and (undefined = false)))',
    )
  })

  it('takes each kind of scalar in a list, and each of them once', () => {
    expect(written(parseCondition(`a IN [1, -2.5, 0x10, 'x', "x", true, null, 1]`))).toBe(
      '(a in [1,-2.5,16,"x",true,null])',
    )
  })

  it('reads * alone as every row', () => {
    expect(parseCondition(' * ')).toBeNull()
    expect(parseQuery('SELECT * FROM devices').where).toBeNull()
  })

  it.each([
    ['SELECT * FROM devices WHERE a = 1', 'devices'],
    ['select*from devices.jobs where a = 1', 'devices.jobs'],
    ['Select *\nFrom Devices -- all\nWhere a = 1', 'devices'],
  ])('reads the query %j', (text, source) => {
    const query = parseQuery(text)
    expect(query.source).toBe(source)
    expect(written(query.where)).toBe('(a = 1)')
  })

  it('Q15 takes a chain of hundreds of alternatives for no nesting', () => {
    const text = Array(400).fill('tags.a = 1').join(' OR ')
    expect(written(parseCondition(text))).toHaveLength(400 * '(tags["a"] = 1)'.length + 399 * ' or '.length + 2)
  })

  it.each([
    ['parentheses', (depth: number) => `${'('.repeat(depth)}a${')'.repeat(depth)}`, maxNesting],
    ['NOTs', (depth: number) => `${'NOT '.repeat(depth)}a`, maxNesting],
    ['operators', (depth: number) => `a${' + 1'.repeat(depth)}`, maxNesting],
    ['steps', (depth: number) => `a${'.b'.repeat(depth)}`, maxNesting],
    ['calls', (depth: number) => `${'IS_NULL('.repeat(depth)}a${')'.repeat(depth)}`, maxNesting],
  ])('refuses more %s within one another than the limit', (_, text, limit) => {
    expect(() => parseCondition(text(limit))).not.toThrow()
    expect(() => parseCondition(text(limit + 1))).toThrow(`expected at most ${limit}`)
    expect(() => parseCondition(text(2000).slice(0, 8000))).toThrow(/parse failed/)
  })
})
