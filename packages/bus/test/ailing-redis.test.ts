import { gatewayId, jobKey, jsonText } from '@muster/contract'
import { eventually, startOwnRedis, uniquePrefix } from '@muster/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bus, type CallResult, connectBus, newCall } from '../src/index.ts'

// Of its own: the Redis of the other tests must take their writes.
let own: Awaited<ReturnType<typeof startOwnRedis>>
let redis: Redis

beforeAll(async () => {
  own = await startOwnRedis()
  redis = new Redis(own.url)
})
afterAll(async () => {
  redis.disconnect()
  await own[Symbol.asyncDispose]()
})

/** The wake-ups of this job are held until they are let go, and then pause. */
const held = '9'

/** A bus with a consumer, and what it reports. */
async function givenConsumer() {
  const errors: Error[] = []
  const taken: string[] = []
  let letGo = () => {}
  const gate = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const bus: Bus = await connectBus({
    url: own.url,
    prefix: uniquePrefix(),
    onError: (error) => void errors.push(error),
  })
  const consumer = bus.consumeWork(
    async ({ key }) => {
      taken.push(key)
      if (key !== held) return 'done'
      await gate
      return { laterMs: 60_000 }
    },
    { concurrency: 4 },
  )
  await bus.wakeDue(jobKey(1))
  await eventually(() => expect(taken).toEqual(['1']))
  return {
    bus,
    errors,
    taken,
    letGo,
    async [Symbol.asyncDispose]() {
      await consumer.stop(AbortSignal.timeout(1_000))
      await bus[Symbol.asyncDispose]()
    },
  }
}

describe('a Redis that takes no writes', () => {
  it('C6 because its memory is full is asked about once a second, is reported once a second, and is not ready', async () => {
    await using hub = await givenConsumer()
    // More than the consumer takes at a time: when it has put those off, it finds the others.
    await hub.bus.wakeChunks(jobKey(held), { type: 'scheduleDeviceMethod', priority: 500 })
    await eventually(() => expect(hub.taken.filter((key) => key === held)).toHaveLength(4))
    await redis.config('SET', 'maxmemory', '1')
    hub.letGo()
    await eventually(() => expect(hub.errors.length).toBeGreaterThan(0))
    const before = hub.errors.length

    // The time of so many commands: a consumer that does not pause gives thousands of its own meanwhile.
    for (let count = 0; count < 5_000; count += 1) await redis.ping()
    const reported = hub.errors.length - before
    const ready = await Promise.allSettled([hub.bus.ping()])
    await redis.config('SET', 'maxmemory', '0')

    expect(reported).toBeLessThan(100)
    expect(ready).toMatchObject([{ status: 'rejected', reason: { message: expect.stringMatching(/^OOM/) } }])
    await expect(hub.bus.ping()).resolves.toBeUndefined()
    await eventually(async () => {
      await hub.bus.wakeDue(jobKey(2))
      expect(hub.taken).toContain('2')
    })
  })

  it('C6 because it has become a replica is not ready, until it takes writes again', async () => {
    await using hub = await givenConsumer()
    await redis.replicaof('127.0.0.1', 1)

    await expect(hub.bus.ping()).rejects.toThrow(/READONLY/)
    await redis.replicaof('NO', 'ONE')

    await expect(hub.bus.ping()).resolves.toBeUndefined()
    await eventually(async () => {
      await hub.bus.wakeDue(jobKey(3))
      expect(hub.taken).toContain('3')
    })
  })
})

it('J24 a call is asked for again as soon as Redis is back, so that an answer of the time between is not lost', async () => {
  const options = { url: own.url, prefix: uniquePrefix(), onError: () => {} }
  await using caller = await connectBus(options)
  await using gateway = await connectBus(options)
  const reports: ((result: CallResult) => void)[] = []
  await using _ = await gateway.serveGateway(gatewayId('remembers'), {
    call: (_, report) => reports.push(report),
    dropCall: () => {},
    pushDesired: () => {},
    closeConnection: () => {},
  })
  const method = { methodName: 'ping', payload: jsonText(null), responseTimeoutSeconds: 300 }
  const call = newCall({ gatewayId: gatewayId('remembers'), identities: ['pump'], ...method }, new Date())
  const results: CallResult[] = []

  const calling = (async () => {
    const patience = { signal: new AbortController().signal, patience: 'long' } as const
    for await (const some of caller.callDevices(call, patience)) results.push(...some)
  })()
  await eventually(() => expect(reports).toHaveLength(1))
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await eventually(() => expect(reports.length).toBeGreaterThan(1))
  for (const report of reports) report({ identity: 'pump', kind: 'noAnswer' })
  await calling

  expect(results).toEqual([{ identity: 'pump', kind: 'noAnswer' }])
})
