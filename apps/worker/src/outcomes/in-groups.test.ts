import { expect, it } from 'vitest'
import { inGroups } from './in-groups.ts'

it('what comes within a moment is handled together, and what comes later by itself', async () => {
  const groups: (readonly string[])[] = []
  const add = inGroups<string>(
    () => 1,
    async (items) => void groups.push(items),
  )

  await Promise.all([add('a'), add('b')])
  await add('c')

  expect(groups).toEqual([['a', 'b'], ['c']])
})

it('a large group waits for no more, and one that takes long holds up no other', async () => {
  const groups: (readonly string[])[] = []
  let end = () => {}
  const add = inGroups<string>(
    (item) => (item === 'large' ? 2 * 1024 * 1024 : 1),
    (items) => {
      groups.push(items)
      return items.includes('large') ? new Promise((resolve) => (end = resolve)) : Promise.resolve()
    },
  )

  const slow = Promise.all([add('small'), add('large')])
  await add('next')
  end()
  await slow

  expect(groups).toEqual([['small', 'large'], ['next']])
})

it('everybody in a group gets its error, and nobody else', async () => {
  const add = inGroups<string>(
    () => 1,
    (items) => (items.includes('bad') ? Promise.reject(new Error('no')) : Promise.resolve()),
  )

  const first = await Promise.allSettled([add('good'), add('bad')])
  const second = await Promise.allSettled([add('good')])

  expect(first.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(second.map(({ status }) => status)).toEqual(['fulfilled'])
})
