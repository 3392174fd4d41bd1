import { expect, it } from 'vitest'
import { connect, not, truthOf } from './truth.ts'
import type { Truth } from './values.ts'

const [T, F, U]: readonly [Truth, Truth, Truth] = [true, false, undefined]

it('Q1 AND is false if one side is, else undefined if one side is', () => {
  const rows = [T, F, U].map((left) => [T, F, U].map((right) => connect('and', [left, right])))
  expect(rows).toEqual([
    [T, F, U],
    [F, F, F],
    [U, F, U],
  ])
})

it('Q1 OR is true if one side is, else undefined if one side is', () => {
  const rows = [T, F, U].map((left) => [T, F, U].map((right) => connect('or', [left, right])))
  expect(rows).toEqual([
    [T, T, T],
    [T, F, U],
    [T, U, U],
  ])
})

it('Q1 NOT leaves undefined as it is', () => {
  expect([T, F, U].map(not)).toEqual([F, T, U])
})

it('Q2 what is no boolean counts as false, and what is not there as undefined', () => {
  expect([true, false, null, 0, 1, '', 'true', [], {}, undefined].map(truthOf)).toEqual([T, F, F, F, F, F, F, F, F, U])
})
