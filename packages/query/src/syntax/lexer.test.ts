import { describe, expect, it } from 'vitest'
import { QueryError } from './errors.ts'
import { tokenize } from './lexer.ts'

function tokens(text: string): readonly unknown[] {
  return tokenize({ text, leadColumns: 0 }).map((token) => ('value' in token ? token.value : token.text))
}

function errorOf(text: string): string {
  try {
    return `no error, but ${tokens(text).join(' ')}`
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    return error.message.slice(error.message.indexOf('\t') + 1)
  }
}

describe('Q12 the lexer', () => {
  it.each([
    ['12', 12],
    ['1.50', 1.5],
    ['2e3', 2000],
    ['2.5E-1', 0.25],
    ['0x1F', 31],
    ['0XaB', 171],
    ['007', 7],
  ])('reads the number %s', (text, value) => {
    expect(tokens(text)).toEqual([value, ''])
  })

  it.each([
    [`'north'`, 'north'],
    [`"north"`, 'north'],
    [`''`, ''],
    [`'o\\'neil'`, "o'neil"],
    [`"say \\"x\\" 'y'"`, `say "x" 'y'`],
    [`'a\\\\b'`, 'a\\b'],
    [`'\\u0061\\u00E9'`, 'aé'],
    [`'\\ud83d\\ude00'`, '😀'],
    [`'\\u0000'`, '\0'],
    [`'two\nlines'`, 'two\nlines'],
    [`'-- /* no comment */'`, '-- /* no comment */'],
  ])('reads the string %s', (text, value) => {
    expect(tokens(text)).toEqual([value, ''])
  })

  it('takes letters of any script, digits, _ and $ for a name', () => {
    expect(tokens('größe _a1 $version タグ2')).toEqual(['größe', '_a1', '$version', 'タグ2', ''])
  })

  it('reads a name in double brackets whatever it holds but a bracket', () => {
    expect(tokens("tags.[[line-no 'x']]")).toEqual(['tags', '.', "line-no 'x'", ''])
  })

  it('skips white space and both kinds of comments', () => {
    expect(tokens('a\t=\r\n/* many\n * lines */ 1 -- the end')).toEqual(['a', '=', 1, ''])
    expect(tokens('1 --2')).toEqual([1, ''])
  })

  it('splits symbols greedily', () => {
    expect(tokens('<=>=<>!=<>==').join(' ')).toBe('<= >= <> != <> == ')
  })

  it('knows where a token stands', () => {
    expect(tokenize({ text: ' a = 1', leadColumns: 0 }).map(({ at }) => at)).toEqual([1, 3, 5, 6])
  })

  it.each([
    [`tags.a = 'x`, "Line 1:10 found a string without an end, expected a closing '."],
    [`'x\\'`, "Line 1:1 found a string without an end, expected a closing '."],
    [`'a\\n'`, `Line 1:3 found "\\n", expected one of the escapes \\' \\" \\\\ \\uXXXX.`],
    [`'\\u12'`, `Line 1:2 found "\\u", expected one of the escapes \\' \\" \\\\ \\uXXXX.`],
    [`'\\ud83d'`, 'Line 1:1 found half of a surrogate pair, expected both halves, such as \\ud83d\\ude00.'],
    ['1 /* x', 'Line 1:3 found a comment without an end, expected */.'],
    [
      'tags.2nd',
      `Line 1:6 found "2nd", expected a number such as 12, 1.5, 2e3 or 0x1F. A name that begins with a digit is written in brackets: ['2nd'].`,
    ],
    [
      '0x',
      `Line 1:1 found "0x", expected a number such as 12, 1.5, 2e3 or 0x1F. A name that begins with a digit is written in brackets: ['2nd'].`,
    ],
    ['1e999', 'Line 1:1 found "1e999", expected a number that an IEEE double can hold.'],
    ['[[a]', 'Line 1:1 found "[[", expected a name in double brackets, such as [[line-no]].'],
  ])('refuses %j', (text, message) => {
    expect(errorOf(text)).toBe(message)
  })
})
