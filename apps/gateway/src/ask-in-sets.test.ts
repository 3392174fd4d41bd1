import { describe, expect, it } from 'vitest'
import { askInSets } from './ask-in-sets.ts'

/** Answers a text with its length, when it is let. */
function givenSets({ setSize = 10 } = {}) {
  const sets: string[][] = []
  const held: { answer: () => void; fail: (error: Error) => void }[] = []
  const gone = new Set<string>()
  const ask = askInSets<string, number | 'unasked'>(
    (questions) => {
      sets.push([...questions])
      return new Promise((resolve, reject) => {
        held.push({ answer: () => resolve((question) => question.length), fail: reject })
      })
    },
    { setSize, isWanted: (question) => !gone.has(question), unasked: 'unasked' },
  )
  return { ask, sets, held, gone }
}

describe('questions in sets', () => {
  it('G58 are asked at once when they come alone, and together when they come while others are asked', async () => {
    const { ask, sets, held } = givenSets()

    const answers = Promise.all(['a', 'bb', 'ccc', 'dddd', 'ccc'].map(ask))
    held[0]?.answer()
    await expect.poll(() => held.length).toBe(3)
    for (const set of held) set.answer()

    expect(await answers).toEqual([1, 2, 3, 4, 3])
    expect(sets).toEqual([['a'], ['bb'], ['ccc', 'dddd', 'ccc']])
  })

  it('G58 do not wait for a set that hangs', async () => {
    const { ask, held } = givenSets()

    void ask('hangs')
    const second = ask('bb')
    const third = ask('ccc')
    held[1]?.answer()
    await expect.poll(() => held.length).toBe(3)
    held[2]?.answer()

    expect(await Promise.all([second, third])).toEqual([2, 3])
  })

  it('G58 are no more than the given number in a set', async () => {
    const { ask, sets, held } = givenSets({ setSize: 2 })

    const answers = ['a', 'b', 'c', 'd', 'e'].map(ask)
    for (let set = 0; set < 4; set += 1) {
      await expect.poll(() => held.length).toBeGreaterThan(set)
      held[set]?.answer()
    }
    await Promise.all(answers)

    expect(sets).toEqual([['a'], ['b'], ['c', 'd'], ['e']])
  })

  it('G58 are not asked when nobody waits for the answer any more, and cost no set then', async () => {
    const { ask, sets, held, gone } = givenSets()

    const answers = Promise.all(['a', 'b', 'gone', 'gone too'].map(ask))
    for (const name of ['gone', 'gone too']) gone.add(name)
    for (const set of held) set.answer()

    expect(await answers).toEqual([1, 1, 'unasked', 'unasked'])
    expect(sets).toEqual([['a'], ['b']])
  })

  it('G58 fail with their set, and with no other', async () => {
    const { ask, held } = givenSets()

    const [first, second] = [ask('a'), ask('bb')]
    held[0]?.fail(new Error('no store'))
    held[1]?.answer()

    await expect(first).rejects.toThrow('no store')
    expect(await second).toBe(2)
  })
})
