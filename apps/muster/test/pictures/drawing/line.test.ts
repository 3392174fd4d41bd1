import { expect, it } from 'vitest'
import { areaPath, linePath, stacked } from './line.ts'

it('a line has a gap where it has no value', () => {
  expect(linePath([[0, 9], [1, 8], null, [3, 2], [4, 1.04]])).toBe('M0 9L1 8M3 2L4 1')
})

it('points on the way are left out, and corners are not', () => {
  expect(
    linePath([
      [0, 5],
      [1, 5],
      [2, 5.1],
      [3, 5],
      [4, 0],
      [5, 5],
      [6, 5],
    ]),
  ).toBe('M0 5L3 5L4 0L5 5L6 5')
})

it('an area goes along its upper line and back along the lower one', () => {
  expect(
    areaPath(
      [
        [0, 1],
        [4, 2],
      ],
      [
        [0, 9],
        [4, 9],
      ],
    ),
  ).toBe('M0 1L4 2L4 9L0 9Z')
})

it('lines are stacked on those before them, and a missing value adds nothing', () => {
  const lines = [
    { name: 'first', values: [1, null, 3] },
    { name: 'second', values: [10, 20, null] },
  ]

  expect(stacked(lines, 3)).toEqual([
    [0, 0, 0],
    [1, 0, 3],
    [11, 20, 3],
  ])
})
