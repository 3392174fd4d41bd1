import { type Bus, connectBus } from '@muster/bus'
import { uniquePrefix } from '@muster/testkit'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { createThrottles } from '../src/hub/throttles.ts'

let bus: Bus
beforeAll(async () => {
  bus = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })
})
afterAll(() => bus[Symbol.asyncDispose]())

const events = { throttled: () => {} }

it('H13 all devices, all jobs, a policy and a client have buckets of their own, also when they are called the same', async () => {
  const { take } = createThrottles({ bus, events }, { twinReads: { tokens: 1, perMs: 3_600_000 } })
  const accounts = ['devices', 'policy:devices', 'client:devices', 'jobs', 'policy:jobs', 'client:jobs'] as const

  const first = await Promise.all(accounts.map((account) => take('twinReads', account)))
  const second = await Promise.all(accounts.map((account) => take('twinReads', account)))

  expect(first).toEqual(accounts.map(() => null))
  expect(second).toEqual(accounts.map(() => expect.any(Number)))
})

it.each([
  [1, 1_000, 1],
  [10, 1_000, 5],
  [11, 1_000, 6],
  [500, 1_000, 100],
  [10, 60_000, 1],
  [1_000, 60_000, 9],
  [100_000, 60_000, 100],
])('H15 a portion of %i in %i ms is %i: what comes in half a second, up to a hundred', (tokens, perMs, portion) => {
  const { portionOf } = createThrottles({ bus, events }, { jobDeviceOperations: { tokens, perMs } })

  expect(portionOf('jobDeviceOperations')).toBe(portion)
  expect(portionOf('twinReads')).toBe(Number.POSITIVE_INFINITY)
})
