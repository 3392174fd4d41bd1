import { expect, it } from 'vitest'
import { createRoom } from './places.ts'

it('a reservation waits until so many places are free', async () => {
  const room = createRoom(10)
  const first = await room.reserve(8)
  let isReserved = false

  const second = room.reserve(5).then((places) => {
    isReserved = true
    return places
  })
  first.release(2)
  await Promise.resolve()
  const whileFull = isReserved
  first.release()
  await second

  expect(whileFull).toBe(false)
})

it('places are given back once, however often they are released', async () => {
  const room = createRoom(2)
  const first = await room.reserve(2)
  first.release()
  first.release()
  first.release(2)

  await room.reserve(2)
  const third = await Promise.race([room.reserve(1).then(() => 'reserved'), Promise.resolve('waits')])

  expect(third).toBe('waits')
})

it('more places than there are is all of them', async () => {
  const places = await createRoom(5).reserve(100)

  expect(places).toBeDefined()
})

it('work that throws gives its places back', async () => {
  const room = createRoom(1)
  const places = await room.reserve(1)

  await expect(places.unlessThrown(() => Promise.reject(new Error('no')))).rejects.toThrow('no')

  await expect(room.reserve(1)).resolves.toBeDefined()
})
