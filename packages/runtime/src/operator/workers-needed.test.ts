import { expect, it } from 'vitest'
import { workersNeeded } from './workers-needed.ts'

const capacity = { callsInFlight: 5_000, workerConcurrency: 8, throttles: {} }

it.each([
  ['nothing', { ready: {}, leased: 0 }, 0],
  ['calls that are leased', { ready: {}, leased: 12_500 }, 2.5],
  ['calls that are ready', { ready: { scheduleDeviceMethod: 5_000 }, leased: 0 }, 1],
  ['both', { ready: { scheduleDeviceMethod: 5_000 }, leased: 2_500 }, 1.5],
  ['twins', { ready: { scheduleUpdateTwin: 1_000_000 }, leased: 0 }, 1.25],
  ['twins and calls', { ready: { scheduleUpdateTwin: 400_000, scheduleDeviceMethod: 2_500 }, leased: 0 }, 1],
])('L5 the load of %s is in workers', (_, load, workers) => {
  expect(workersNeeded(load, capacity)).toBe(workers)
})

it('L5 a worker that carries half as much makes the load twice as high', () => {
  const half = { callsInFlight: 2_500, workerConcurrency: 4, throttles: {} }
  const load = { ready: { scheduleUpdateTwin: 1_000_000, scheduleDeviceMethod: 700 }, leased: 300 }

  expect(workersNeeded(load, half)).toBe(2 * workersNeeded(load, capacity))
})

it('L2 a throttle of all jobs asks for no more than it permits within ten seconds, beside what is leased', () => {
  const throttled = { ...capacity, throttles: { jobDeviceOperations: { tokens: 50, perMs: 1_000 } } }

  expect(workersNeeded({ ready: { scheduleDeviceMethod: 1_000_000 }, leased: 5_000 }, throttled)).toBe(1.1)
  expect(workersNeeded({ ready: { scheduleDeviceMethod: 100 }, leased: 0 }, throttled)).toBe(0.02)
})
