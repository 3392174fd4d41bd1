import { jobKey } from '@muster/contract'
import { expect, it } from 'vitest'
import { createRoom } from './places.ts'

const job = jobKey(1)
const other = jobKey(2)

it('places are reserved while there are enough, and again when they are released', () => {
  const room = createRoom(10)
  const first = room.tryReserve(job, 8)

  const whileFull = room.tryReserve(other, 5)
  first?.release(3)
  const afterwards = room.tryReserve(other, 5)

  expect(first).not.toBeNull()
  expect(whileFull).toBeNull()
  expect(afterwards).not.toBeNull()
})

it('places are given back once, however often they are released', () => {
  const room = createRoom(2)
  const first = room.tryReserve(job, 2)
  first?.keep(0)
  first?.keep(0)
  first?.release(2)

  expect(room.tryReserve(job, 2)).not.toBeNull()
  expect(room.tryReserve(job, 1)).toBeNull()
})

it('more places than there are is all of them, and keeping some gives back the others only', () => {
  const room = createRoom(5)
  const all = room.tryReserve(job, 100)

  all?.keep(4)

  expect(room.tryReserve(other, 2)).toBeNull()
  expect(room.tryReserve(other, 1)).not.toBeNull()
})

it('places that are handed over stay taken when the first holder ends, and are given back by the second', () => {
  const room = createRoom(5)
  const first = room.tryReserve(job, 5)

  const second = first?.handOver(3)
  first?.[Symbol.dispose]()

  expect(room.tryReserve(other, 3)).toBeNull()
  expect(room.tryReserve(other, 2)).not.toBeNull()
  second?.[Symbol.dispose]()
  expect(room.tryReserve(jobKey(3), 3)).not.toBeNull()
})

it('R100 a job alone takes nearly all places, one that comes finds room at once, and both then share', () => {
  const room = createRoom(1_000)
  const take = (key: typeof job, count = 10) => {
    let taken = 0
    while (room.tryReserve(key, count) !== null) taken += count
    return taken
  }

  expect(take(job)).toBe(940)
  expect(take(other)).toBe(50)
  expect(room.taken()).toBe(990)
  expect(room.tryReserve(jobKey(3), 10)).not.toBeNull()
})

it('R100 what a job gives back is there for others before it takes it again', () => {
  const room = createRoom(100)
  const [first, second] = [room.tryReserve(job, 50), room.tryReserve(job, 40)]
  const third = room.tryReserve(job, 10)
  second?.release(10)

  const again = room.tryReserve(job, 18)
  const others = room.tryReserve(other, 18)

  expect([first, second, third, again, others].map((places) => places !== null)).toEqual([
    true,
    true,
    false,
    false,
    true,
  ])
})
