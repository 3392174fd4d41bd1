import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ArithmeticOperator, type ComparisonOperator, calculate, compare } from './values.ts'

const operators: readonly ComparisonOperator[] = ['=', '!=', '<', '>', '<=', '>=']

describe('Q6 a comparison', () => {
  it.each([
    ['undefined on one side', undefined, 1],
    ['undefined on both sides', undefined, undefined],
    ['an object', { a: 1 }, { a: 1 }],
    ['an array', [1], [1]],
    ['an object and a scalar', {}, 'x'],
  ])('with %s is undefined', (_, left, right) => {
    expect(operators.map((operator) => compare(operator, left, right))).toEqual(Array(6).fill(undefined))
    expect(operators.map((operator) => compare(operator, right, left))).toEqual(Array(6).fill(undefined))
  })

  it.each([
    [2, '2'],
    [true, 'true'],
    [1, true],
    [null, 0],
    [null, 'null'],
  ])('of %j and %j, of two types, knows equality but no order', (left, right) => {
    expect(operators.map((operator) => compare(operator, left, right))).toEqual([
      false,
      true,
      ...Array(4).fill(undefined),
    ])
  })

  it.each([
    [null, null],
    [true, true],
    [false, false],
  ])('of %j and %j, which have no order, knows that they are equal', (left, right) => {
    expect(operators.map((operator) => compare(operator, left, right))).toEqual([
      true,
      false,
      ...Array(4).fill(undefined),
    ])
  })

  it('of two numbers is that of doubles', () => {
    expect(operators.map((operator) => compare(operator, 0.5, 2))).toEqual([false, true, true, false, true, false])
    expect(compare('=', 0, -0)).toBe(true)
    expect(compare('=', 2 ** 53 + 1, 2 ** 53)).toBe(true)
  })

  it('Q7 of two texts goes by code point and letter case', () => {
    expect(compare('<', 'B', 'a')).toBe(true)
    expect(compare('=', 'a', 'A')).toBe(false)
    expect(compare('<', 'a', 'ab')).toBe(true)
    expect(compare('<', '\uffff', '\u{10000}')).toBe(true)
    expect(compare('<', '10', '9')).toBe(true)
  })
})

describe('Q9 arithmetic', () => {
  it.each<[number, ArithmeticOperator, number, number]>([
    [0.1, '+', 0.2, 0.1 + 0.2],
    [1, '-', 2.5, -1.5],
    [3, '*', -2, -6],
    [1, '/', 3, 1 / 3],
    [7, '%', 3, 1],
    [-7, '%', 3, -1],
    [7, '%', -3, 1],
    [5.5, '%', 2, 1.5],
    [0.3, '%', 0.1, 0],
    [1e15, '%', 7, 1e15 % 7],
  ])('%d %s %d is %d', (left, operator, right, result) => {
    expect(calculate(operator, left, right)).toBe(result)
  })

  it.each<[unknown, ArithmeticOperator, unknown]>([
    [1, '/', 0],
    [1, '%', 0],
    ['1', '+', 1],
    [1, '+', null],
    [true, '*', 1],
    [undefined, '+', 1],
    [1e151, '+', 1],
    [1, '*', 1e-151],
    [2 ** 54, '%', 7],
  ])('%j %s %j is undefined', (left, operator, right) => {
    expect(calculate(operator, left as number, right as number)).toBeUndefined()
  })

  it('never overflows', () => {
    const operator = fc.constantFrom<ArithmeticOperator>('+', '-', '*', '/', '%')
    fc.assert(
      fc.property(fc.double(), operator, fc.double(), (left, sign, right) => {
        const result = calculate(sign, left, right)
        expect(result === undefined || Number.isFinite(result)).toBe(true)
      }),
    )
  })

  it('has the remainder of integers that JavaScript has', () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        fc.maxSafeInteger().filter((n) => n !== 0),
        (left, right) => {
          expect(calculate('%', left, right) === left % right).toBe(true)
        },
      ),
    )
  })
})
