import { expect, it } from 'vitest'
import { eachAtOnce } from './each-at-once.ts'

it('an item that takes long holds up no other, and all have ended at the end', async () => {
  const ended: string[] = []
  let end = () => {}
  const slow = new Promise<void>((resolve) => {
    end = resolve
  })

  await eachAtOnce(['slow', 'next'], async (item) => {
    if (item === 'slow') await slow
    ended.push(item)
    end()
  })

  expect(ended).toEqual(['next', 'slow'])
})

it('a failure is told after the others have ended, be it of an item or of what yields them', async () => {
  const ended: string[] = []
  async function* items() {
    yield 'bad'
    yield 'good'
    throw new Error('no more')
  }
  const work = async (item: string) => {
    if (item === 'bad') throw new Error('bad')
    await new Promise(setImmediate)
    ended.push(item)
  }

  await expect(eachAtOnce(items(), work)).rejects.toThrow('bad')
  await expect(eachAtOnce(items(), () => Promise.resolve())).rejects.toThrow('no more')

  expect(ended).toEqual(['good'])
})
