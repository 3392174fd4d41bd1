import { type Bus, connectBus } from '@muster/bus'
import { createThrottles, type Throttles } from '@muster/runtime'
import { uniquePrefix } from '@muster/testkit'
import { beforeEach, expect, inject, it, onTestFinished } from 'vitest'
import { pace } from '../src/pace.ts'

/** So slow that nothing comes back during a test; a portion is one. */
const rate = { tokens: 1_000, perMs: 1_000 * 3_600_000 }

let bus: Bus
let throttles: Throttles
beforeEach(async () => {
  bus = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })
  onTestFinished(() => bus[Symbol.asyncDispose]())
  throttles = createThrottles({ bus, events: { throttled: () => {} } }, { jobDeviceOperations: rate })
})

const devices = (count: number) => ({ deviceCount: count })

/** Takes what should be left, fewer than a full bucket, and sees that it was all. */
async function expectLeft(count: number): Promise<void> {
  expect(await throttles.take('jobDeviceOperations', 'jobs', count + 1)).not.toBeNull()
  expect(await throttles.take('jobDeviceOperations', 'jobs', count)).toBeNull()
}

it('H15 a claim costs the tokens of the devices that it has', async () => {
  expect(await pace(throttles, 500, async () => devices(7))).toEqual(devices(7))

  await expectLeft(993)
})

it('H15 more devices than a portion are owed', async () => {
  await pace(throttles, 500, async () => devices(500))

  await expectLeft(500)
})

it('H15 a claim that finds nothing costs nothing, nor does one that fails', async () => {
  await pace(throttles, 100, async () => devices(1))

  expect(await pace(throttles, 100, async () => null)).toBeNull()
  const failing = pace(throttles, 100, () => Promise.reject(new Error('Postgres is away')))
  await expect(failing).rejects.toThrow('Postgres is away')

  await expectLeft(999)
})

it('H15 without tokens nothing is claimed, and it pauses, seconds and not hours', async () => {
  await throttles.charge('jobDeviceOperations', 'jobs', 1_000)
  let claims = 0

  const paused = await pace(throttles, 100, async () => {
    claims += 1
    return devices(1)
  })

  expect(claims).toBe(0)
  expect(paused).toEqual({ laterMs: expect.toSatisfy((ms: number) => ms >= 5_000 && ms <= 6_250) })
  await expectLeft(0)
})

it('J42 J43 a claim that its job does not permit now pauses, and costs nothing', async () => {
  await pace(throttles, 100, async () => devices(1))
  const claim = () => Promise.resolve({ waitMs: 2_000 })

  const paused = await pace<{ deviceCount: number }>(throttles, 100, claim)

  expect(paused).toEqual({ laterMs: expect.toSatisfy((ms: number) => ms >= 2_000 && ms <= 2_500) })
  await expectLeft(999)
})

it('H15 many workers at once use exactly as many tokens as they claim devices', async () => {
  let claimed = 0
  const lanes = Array.from({ length: 30 }, async (_, lane) => {
    for (let round = 0; round < 10; round += 1) {
      const found = await pace(throttles, 100, async () => (lane % 7 === 0 ? null : devices(lane % 7)))
      if (found !== null && 'deviceCount' in found) claimed += found.deviceCount
    }
  })
  await Promise.all(lanes)

  expect(claimed).toBeGreaterThan(0)
  await expectLeft(1_000 - claimed)
})
