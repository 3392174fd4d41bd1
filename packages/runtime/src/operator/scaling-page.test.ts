import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { scalingPage } from './scaling-page.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const capacity = { callsInFlight: 100, workerConcurrency: 8, throttles: {} }

interface Reading {
  resolve(load: { ready: object; leased: number; connections: number }): void
  reject(error: Error): void
}

/** A page whose readings end when the test says so. */
function pageWith() {
  const readings: Reading[] = []
  const failures: unknown[] = []
  const page = scalingPage({
    readLoad: () => new Promise((resolve, reject) => readings.push({ resolve, reject })),
    capacity,
    requestsInFlight: () => 3,
    onFailure: (error) => failures.push(error),
  })
  return { page, readings, failures }
}

it('L7 has what the load comes to, and reads it once for all who ask at the same time and within two seconds', async () => {
  const { page, readings } = pageWith()

  const asked = [page(), page()]
  readings[0]?.resolve({ ready: {}, leased: 250, connections: 1_200 })
  const [first, second] = await Promise.all(asked)
  vi.advanceTimersByTime(2_000)
  await page()

  expect(await first?.json()).toEqual({ worker: 2.5, gateway: 1_200, api: 3 })
  expect(second?.status).toBe(200)
  expect(readings).toHaveLength(1)
})

it('L7 reads it again after two seconds', async () => {
  const { page, readings } = pageWith()
  const first = page()
  readings[0]?.resolve({ ready: {}, leased: 0, connections: 0 })
  await first

  vi.advanceTimersByTime(2_001)
  const second = page()
  readings[1]?.resolve({ ready: {}, leased: 0, connections: 7 })

  expect(await (await second).json()).toMatchObject({ gateway: 7 })
})

it('L7 is 503 for all who ask within two seconds after a reading has failed, and reports it once', async () => {
  const { page, readings, failures } = pageWith()
  const first = page()
  readings[0]?.reject(new Error('no Postgres'))

  expect([(await first).status, (await page()).status]).toEqual([503, 503])
  expect(failures).toHaveLength(1)
})

it('L7 is 503 when a reading hangs, and begins no other beside it', async () => {
  const { page, readings } = pageWith()

  const first = page()
  await vi.advanceTimersByTimeAsync(2_000)
  const second = page()
  await vi.advanceTimersByTimeAsync(2_000)

  expect([(await first).status, (await second).status]).toEqual([503, 503])
  expect(readings).toHaveLength(1)
})
