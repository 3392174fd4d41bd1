import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { eventually, uniquePrefix } from '@muster/testkit'
import { expect, inject, it, onTestFinished } from 'vitest'
import { type Bus, connectBus } from '../src/index.ts'

/** So slow that nothing comes back during a test. */
const slow = { tokens: 10, perMs: 10 * 3_600_000 }
const hourMs = 3_600_000

async function openBus(options: { url?: string; prefix?: string; errors?: Error[] } = {}): Promise<Bus> {
  const bus = await connectBus({
    url: options.url ?? inject('redisUrl'),
    prefix: options.prefix ?? uniquePrefix(),
    onError: (error) => options.errors?.push(error),
  })
  onTestFinished(() => bus[Symbol.asyncDispose]())
  return bus
}

const takeEach = async (bus: Bus, count: number) => {
  const waits: number[] = []
  for (let taken = 0; taken < count; taken += 1) waits.push(await bus.takeTokens('b', 1, slow))
  return waits
}

it('a burst of the size of the bucket is served, and the next is told how long to wait', async () => {
  const bus = await openBus()

  expect(await takeEach(bus, 10)).toEqual(Array(10).fill(0))

  const [wait = 0] = await takeEach(bus, 1)
  expect(wait).toBeGreaterThan(0.9 * hourMs)
  expect(wait).toBeLessThanOrEqual(hourMs)
  expect(await bus.takeTokens('another', 1, slow)).toBe(0)
})

it('H13 processes of one hub share a bucket, those of two hubs do not', async () => {
  const prefix = uniquePrefix()
  const [one, other, stranger] = [await openBus({ prefix }), await openBus({ prefix }), await openBus()]

  const waits = (await Promise.all([takeEach(one, 10), takeEach(other, 10)])).flat()

  expect(waits.filter((wait) => wait === 0)).toHaveLength(10)
  expect(await stranger.takeTokens('b', 10, slow)).toBe(0)
})

it('what is not there in full is not taken in part', async () => {
  const bus = await openBus()
  await bus.takeTokens('b', 4, slow)

  expect(await bus.takeTokens('b', 7, slow)).toBeGreaterThan(0)
  expect(await bus.takeTokens('b', 6, slow)).toBe(0)
})

it('H15 more than the bucket holds comes out of a full one and is owed', async () => {
  const bus = await openBus()

  expect(await bus.takeTokens('b', 25, slow)).toBe(0)

  expect(await bus.takeTokens('b', 1, slow)).toBeGreaterThan(15 * hourMs)
})

it('what is given back can be taken again, and never more than the bucket holds', async () => {
  const bus = await openBus()
  await bus.takeTokens('b', 10, slow)

  await bus.chargeTokens('b', -3, slow)
  expect((await takeEach(bus, 4)).map((wait) => wait === 0)).toEqual([true, true, true, false])

  await bus.chargeTokens('b', -100, slow)
  expect((await takeEach(bus, 11)).filter((wait) => wait === 0)).toHaveLength(10)
})

it('what has been used is charged even if it is not there', async () => {
  const bus = await openBus()
  await bus.takeTokens('b', 10, slow)

  await bus.chargeTokens('b', 5, slow)

  expect(await bus.takeTokens('b', 1, slow)).toBeGreaterThan(5 * hourMs)
})

it('a bucket fills again', async () => {
  const bus = await openBus()
  const fast = { tokens: 1, perMs: 50 }
  await bus.takeTokens('b', 1, fast)

  await expect.poll(() => bus.takeTokens('b', 1, fast)).toBe(0)
})

it.each(['hangs', 'is gone'])('H14 everything is allowed while Redis %s', async (state) => {
  const redis = await proxied(inject('redisUrl'))
  const errors: Error[] = []
  const bus = await openBus({ url: redis.url, errors })
  await takeEach(bus, 10)

  if (state === 'hangs') redis.hang()
  else redis.end()

  expect(await takeEach(bus, 100)).toEqual(Array(100).fill(0))
  expect(errors.length).toBeGreaterThan(0)
})

it('H14 a Redis that hangs is complained of once, however many ask, and limits hold again when it answers', async () => {
  const redis = await proxied(inject('redisUrl'))
  const errors: Error[] = []
  const bus = await openBus({ url: redis.url, errors })
  await takeEach(bus, 10)
  redis.hang()

  const waits = await Promise.all(Array.from({ length: 300 }, () => bus.takeTokens('b', 1, slow)))

  expect(waits).toEqual(Array(300).fill(0))
  expect(errors.map(({ message }) => message)).toEqual(['Redis gave no tokens within 250 ms'])
  redis.goOn()
  await eventually(async () => expect(await bus.takeTokens('b', 1, slow)).toBeGreaterThan(0))
})

it('H15 tokens that many take and give back at once are neither lost nor made', async () => {
  const prefix = uniquePrefix()
  const buses = await Promise.all(Array.from({ length: 3 }, () => openBus({ prefix })))
  const rate = { tokens: 1_000, perMs: 1_000 * hourMs }
  let [served, used] = [0, 0]
  /** As a worker does: it takes a portion, uses some of it, and gives the rest back. */
  const work = async (bus: Bus, uses: number) => {
    if ((await bus.takeTokens('b', 100, rate)) > 0) return
    served += 1
    used += uses
    await bus.chargeTokens('b', uses - 100, rate)
  }

  const lanes = Array.from({ length: 30 }, async (_, lane) => {
    for (const bus of [...buses, ...buses, ...buses]) await work(bus, lane % 6)
  })
  await Promise.all(lanes)

  expect(served).toBeGreaterThan(10)
  expect(await buses[0]?.takeTokens('b', 1_000 - used + 1, rate)).toBeGreaterThan(0)
  expect(await buses[0]?.takeTokens('b', 1_000 - used, rate)).toBe(0)
})

/** A way to Redis that can be blocked or cut. */
async function proxied(target: string) {
  const { hostname, port } = new URL(target)
  const ways: (readonly [Socket, Socket])[] = []
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) socket.on('error', () => {})
    client.pipe(upstream).pipe(client)
    ways.push([client, upstream])
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const end = () => {
    server.close()
    for (const socket of ways.flat()) socket.destroy()
  }
  onTestFinished(end)
  const url = new URL(target)
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: url.href,
    end,
    hang() {
      for (const socket of ways.flat()) socket.unpipe().pause()
    },
    goOn() {
      for (const [client, upstream] of ways) client.pipe(upstream).pipe(client)
    },
  }
}
