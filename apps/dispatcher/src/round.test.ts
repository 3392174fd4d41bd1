import { expect, it } from 'vitest'
import { createRound } from './round.ts'

it('a round goes on where the last pass ended, and begins anew after the end', async () => {
  const round = createRound<number>()
  const begins: (number | null)[] = []
  const pass = (last: number | null) =>
    round.pass(async (after) => {
      begins.push(after)
      return { last }
    })

  for (const last of [3, 6, null, 3]) await pass(last)

  expect(begins).toEqual([null, 3, 6, null])
})

it('a pass that fails is done again', async () => {
  const round = createRound<number>()
  await round.pass(async () => ({ last: 3 }))
  await expect(round.pass(() => Promise.reject(new Error('Postgres is away')))).rejects.toThrow('Postgres is away')

  const again = await round.pass(async (after) => ({ last: null, after }))

  expect(again.after).toBe(3)
})
