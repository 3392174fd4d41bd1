import { expect, it } from 'vitest'
import { createRoom } from './places.ts'

it('places are reserved while there are enough, and again when they are released', () => {
  const room = createRoom(10)
  const first = room.tryReserve(8)

  const whileFull = room.tryReserve(5)
  first?.release(3)
  const afterwards = room.tryReserve(5)

  expect(first).not.toBeNull()
  expect(whileFull).toBeNull()
  expect(afterwards).not.toBeNull()
})

it('places are given back once, however often they are released', () => {
  const room = createRoom(2)
  const first = room.tryReserve(2)
  first?.keep(0)
  first?.keep(0)
  first?.release(2)

  expect(room.tryReserve(2)).not.toBeNull()
  expect(room.tryReserve(1)).toBeNull()
})

it('more places than there are is all of them, and keeping some gives back the others only', () => {
  const room = createRoom(5)
  const all = room.tryReserve(100)

  all?.keep(4)

  expect(room.tryReserve(2)).toBeNull()
  expect(room.tryReserve(1)).not.toBeNull()
})

it('places that are handed over stay taken when the first holder ends, and are given back by the second', () => {
  const room = createRoom(5)
  const first = room.tryReserve(5)

  const second = first?.handOver(3)
  first?.[Symbol.dispose]()

  expect(room.tryReserve(3)).toBeNull()
  expect(room.tryReserve(2)).not.toBeNull()
  second?.[Symbol.dispose]()
  expect(room.tryReserve(3)).not.toBeNull()
})
