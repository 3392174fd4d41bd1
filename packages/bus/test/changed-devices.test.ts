import { eventually, uniquePrefix } from '@muster/testkit'
import { expect, inject, it } from 'vitest'
import { connectBus } from '../src/index.ts'

it('R114 changes of a moment are told together, each device once, to everybody who watches, and to nobody afterwards', async () => {
  const prefix = uniquePrefix()
  const open = () => connectBus({ url: inject('redisUrl'), prefix, onError: () => {} })
  await using teller = await open()
  await using watcher = await open()
  const heard: (readonly string[])[][] = [[], []]
  const stops = await Promise.all(heard.map((own) => watcher.watchChanges((deviceIds) => own.push(deviceIds))))

  teller.noteChanged(['a', 'b'])
  teller.noteChanged(['b', 'c'])
  await eventually(() => expect(heard).toEqual([[['a', 'b', 'c']], [['a', 'b', 'c']]]))
  await stops[0]?.()
  teller.noteChanged(['d'])
  await eventually(() => expect(heard[1]).toHaveLength(2))

  expect(heard).toEqual([[['a', 'b', 'c']], [['a', 'b', 'c'], ['d']]])
})

it('R114 nobody who changes a device waits for those who watch, or for Redis', async () => {
  await using alone = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })

  expect(alone.noteChanged(Array.from({ length: 20_000 }, (_, no) => `device-${no}`))).toBeUndefined()
  await alone.ping()
  expect(alone.noteChanged(['one-more'])).toBeUndefined()
})
