import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { TestIdentity } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'
import { openRaw } from '../raw.ts'
import { arbitraryPackets, randomOf } from './arbitrary-packets.ts'
import { startHonestDevice } from './honest.ts'

const seconds = Number(process.env.MUSTER_TEST_FUZZ_SECONDS ?? 10)
/** Printed with a failure; set it to see the same packets again. */
const seed = Number(process.env.MUSTER_TEST_FUZZ_SEED ?? Date.now() % 2 ** 31)

const hostileCount = 6
const honestCount = 3
/** What memory may grow by while the warm-up's caches, pools and compiled code are there already. */
const grownMbMax = 50

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

it(
  'G18 G17 whatever bytes come, for however long, the honest are served and memory does not grow',
  async () => {
    const uncaught: unknown[] = []
    const note = (error: unknown) => uncaught.push(error)
    process.on('uncaughtException', note).on('unhandledRejection', note)
    const names = Array.from({ length: hostileCount }, (_, n) => n)
    const identities = await Promise.all(names.map((n) => hub.addDevice(`hostile-${n}`)))
    const honest = await Promise.all(
      Array.from({ length: honestCount }, (_, n) => startHonestDevice(hub, gateway, `honest-${n}`)),
    )

    const warmUp = await attack(identities, { seed, seconds: Math.max(2, seconds / 5) })
    const before = await memoryMb()
    const servedBefore = honest.map(({ answered }) => answered)
    const attacked = await attack(identities, { seed: seed + 1, seconds })
    const after = await memoryMb()
    const grownMb = { held: after.held - before.held, resident: after.resident - before.resident }
    const served = honest.map(({ answered }, n) => answered - (servedBefore[n] ?? 0))
    for (const device of honest) await device.stop()
    process.off('uncaughtException', note).off('unhandledRejection', note)

    const context = JSON.stringify({ seed, seconds, warmUp, attacked, served, grownMb })
    expect(uncaught, context).toEqual([])
    expect(attacked, context).toBeGreaterThan(seconds)
    expect(Math.min(...served), context).toBeGreaterThan(seconds)
    expect(Math.max(grownMb.held, grownMb.resident), context).toBeLessThan(grownMbMax)
  },
  (seconds * 2 + 60) * 1_000,
)

/** Connects again and again as each identity. Returns how many connections it was. */
async function attack(identities: readonly TestIdentity[], given: { seed: number; seconds: number }): Promise<number> {
  const endsAtMs = performance.now() + given.seconds * 1_000
  const counts = await Promise.all(
    identities.map(async (identity, n) => {
      const random = randomOf(given.seed * hostileCount + n)
      let connections = 0
      while (performance.now() < endsAtMs) {
        const client = openRaw(gateway, random() < 0.2 ? 'WebSocket' : 'TLS')
        client.send(...arbitraryPackets(identity, random))
        // Some are cut by the hub, some leave, some are left behind by the next one.
        await Promise.race([client.closed, sleep(random() * 40)])
        if (random() < 0.5) {
          client.stream.end()
          await Promise.race([client.closed, sleep(random() * 20)])
        }
        client.stream.destroy()
        connections += 1
      }
      return connections
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * Of this process, in which gateway and clients both run: what is held after a collection, on the heap and in buffers beside it,
 * and what is resident, in which TLS has its part. The resident set also keeps what the allocator once had: the warm-up has
 * filled that, and what a longer run adds to it by chance is far below the bound.
 */
async function memoryMb(): Promise<{ held: number; resident: number }> {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  // Sockets that were closed let go of what they hold over some turns of the event loop.
  for (let turn = 0; turn < 5; turn += 1) {
    await sleep(100)
    if (typeof collect === 'function') collect()
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { held: (heapUsed + external) / 2 ** 20, resident: rss / 2 ** 20 }
}
