import { jobKey, webhookKey } from '@muster/contract'
import { eventually, uniquePrefix } from '@muster/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import { type Bus, connectBus } from '../src/index.ts'

let bus: Bus

beforeAll(async () => {
  bus = await openBus()
})
afterAll(() => bus[Symbol.asyncDispose]())

describe('the figures of the bus', () => {
  it('count wake-ups by queue and state, and tell of the memory and the policy of Redis', async () => {
    await using own = await openBus()
    await own.wakeAt(jobKey(7), new Date(Date.now() + 60_000))
    await own.wakeDue(jobKey(8))

    const { queues, ...redis } = await own.figures()

    expect(queues.filter(({ count }) => count > 0)).toEqual([
      { queue: 'jobs', state: 'delayed', count: 1 },
      { queue: 'work', state: 'waiting', count: 1 },
    ])
    expect(queues).toHaveLength(9)
    expect(redis).toEqual({
      memoryBytes: expect.toSatisfy((bytes: number) => bytes > 0),
      memoryLimitBytes: expect.toSatisfy((bytes: number) => bytes >= 0),
      isNoeviction: true,
    })
  })
})

describe('a wake-up', () => {
  it('reaches the dispatcher at its time', async () => {
    const taken: string[] = []
    await using own = await openBus()
    const consumer = own.consumeJobs(async (key) => {
      taken.push(key)
    })

    await own.wakeAt(jobKey(7), new Date(Date.now() + 50))

    await eventually(() => expect(taken).toEqual(['7']))
    await consumer.stop(AbortSignal.timeout(1_000))
  })

  it('for a webhook comes at its time, and is there once however many of its events are due in the same second', async () => {
    await using own = await openBus()
    const second = Math.ceil(Date.now() / 1_000) + 60
    for (const ms of [1, 500, 1_000]) await own.wakeWebhook(webhookKey('7'), new Date(second * 1_000 + ms))
    for (let times = 0; times < 3; times += 1) await own.wakeWebhook(webhookKey('7'), new Date(0))
    await own.wakeWebhook(webhookKey('8'), new Date(0))
    const waiting = await webhookFigures(own)
    const taken: string[] = []

    const consumer = own.consumeWebhooks(async (key) => {
      taken.push(key)
    })
    await eventually(() => expect(taken.toSorted()).toEqual(['7', '8']))
    await consumer.stop(AbortSignal.timeout(1_000))

    expect(waiting).toEqual({ waiting: 2, active: 0, delayed: 1 })
    expect(await webhookFigures(own)).toEqual({ waiting: 0, active: 0, delayed: 1 })
  })

  it('for chunks circulates until there are none, and lets another job in between', async () => {
    await using own = await openBus()
    const left = new Map([
      ['1', 200],
      ['2', 5],
    ])
    const order: string[] = []
    await own.wakeChunks(jobKey(1), { type: 'scheduleDeviceMethod', priority: 500 })
    await own.wakeChunks(jobKey(2), { type: 'scheduleDeviceMethod', priority: 500 })

    const consumer = own.consumeWork(
      async ({ key }) => {
        const rest = (left.get(key) ?? 0) - 1
        if (rest < 0) return 'done'
        left.set(key, rest)
        order.push(key)
        return 'more'
      },
      { concurrency: 2 },
    )

    await eventually(() => expect(order).toHaveLength(205))
    expect(order.lastIndexOf('2')).toBeLessThan(100)
    await consumer.stop(AbortSignal.timeout(1_000))
  })

  it('R101 for chunks has turns by the priority of its job: the highest has 16 times those of the lowest, and all have some', async () => {
    await using own = await openBus()
    const order: string[] = []
    const consumer = own.consumeWork(
      async ({ key }) => {
        order.push(key)
        return order.length < 800 ? 'more' : 'done'
      },
      { concurrency: 1 },
    )

    for (const [no, priority] of [1000, 500, 0].entries()) {
      await own.wakeChunks(jobKey(no), { type: 'scheduleUpdateTwin', priority })
    }
    await eventually(() => expect(order.length).toBeGreaterThanOrEqual(800 + 41), { timeoutMs: 20_000 })
    await consumer.stop(AbortSignal.timeout(1_000))

    // Some rounds after all were there: 32, 8 and 2 turns in each.
    const rounds = order.slice(200, 200 + 10 * 42)
    expect(['0', '1', '2'].map((key) => Math.round(rounds.filter((one) => one === key).length / 10))).toEqual([
      32, 8, 2,
    ])
  })

  it('that pauses comes again when the pause is over, and meanwhile lets others through', async () => {
    const prefix = uniquePrefix()
    await using own = await openBus({ prefix })
    const redis = new Redis(inject('redisUrl'))
    onTestFinished(() => redis.disconnect())
    const order: string[] = []
    const consumer = own.consumeWork(
      async ({ key }) => {
        order.push(key)
        return key === '1' ? { laterMs: 60_000 } : 'done'
      },
      { concurrency: 1 },
    )

    const fromMs = Date.now() + 60_000
    await own.wakeChunks(jobKey(1), { type: 'scheduleDeviceMethod', priority: 500 })
    await eventually(() => expect(order).toHaveLength(8))
    await own.wakeChunks(jobKey(1), { type: 'scheduleDeviceMethod', priority: 500 })
    await own.wakeChunks(jobKey(2), { type: 'scheduleDeviceMethod', priority: 500 })
    await eventually(() => expect(order).toHaveLength(16))
    await consumer.stop(AbortSignal.timeout(1_000))

    expect(order.slice(8)).toEqual(Array(8).fill('2'))
    // BullMQ's times are in 4096ths of a ms.
    const [from, to] = [fromMs * 0x1000, (Date.now() + 60_001) * 0x1000]
    expect(await redis.zcount(`${prefix}:work:delayed`, from, to)).toBe(8)
  })

  it('C4 that pauses comes again when the pause is over, though the clock of its process jumps by an hour ahead and back', async () => {
    await using own = await openBus({ clock: { now: () => new Date(performance.timeOrigin + performance.now()) } })
    const rightNow = Date.now
    let aheadMs = 0
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => rightNow() + aheadMs)
    onTestFinished(() => clock.mockRestore())
    const handledWith: number[] = []
    const consumer = own.consumeWork(
      async () => {
        handledWith.push(aheadMs)
        return handledWith.length === 1 ? { laterMs: 200 } : 'done'
      },
      { concurrency: 1 },
    )

    aheadMs = 3_600_000
    await own.wakeDue(jobKey(6))
    await eventually(() => expect(handledWith).toEqual([3_600_000]))
    aheadMs = 0

    await eventually(() => expect(handledWith).toEqual([3_600_000, 0]))
    await consumer.stop(AbortSignal.timeout(1_000))
  })

  it('R36 that sleeps comes at once when its job is hurried, and others go on sleeping', async () => {
    await using own = await openBus()
    const taken: string[] = []
    const consumer = own.consumeWork(
      async ({ key, kind }) => {
        taken.push(`${kind} ${key}`)
        return { laterMs: 60_000 }
      },
      { concurrency: 1 },
    )
    const sleeping = async () => {
      const { queues } = await own.figures()
      return queues.find(({ queue, state }) => queue === 'work' && state === 'delayed')?.count
    }
    for (const key of [7, 8]) await own.wakeChunks(jobKey(key), { type: 'scheduleUpdateTwin', priority: 500 })
    await eventually(async () => expect(await sleeping()).toBe(16))
    taken.length = 0

    const areHurried = [await own.hurryWork(jobKey(7)), await own.hurryWork(jobKey(9))]
    await eventually(() => expect(taken).toHaveLength(8))

    expect(areHurried).toEqual([true, true])
    expect(new Set(taken)).toEqual(new Set(['chunks 7']))
    await consumer.stop(AbortSignal.timeout(1_000))
  })

  it('for chunks that waits already is there only once, however often it is given', async () => {
    await using own = await openBus()
    for (let times = 0; times < 5; times += 1)
      await own.wakeChunks(jobKey(3), { type: 'scheduleDeviceMethod', priority: 500 })
    let handled = 0

    const consumer = own.consumeWork(
      async () => {
        handled += 1
        return 'done'
      },
      { concurrency: 1 },
    )
    await own.wakeDue(jobKey(4))

    await eventually(() => expect(handled).toBe(9))
    await consumer.stop(AbortSignal.timeout(1_000))
  })

  it('is taken again after the handler threw, when a sweep gives it again', async () => {
    await using own = await openBus({ onError: () => {} })
    let handled = 0
    const consumer = own.consumeWork(
      async () => {
        handled += 1
        if (handled === 1) throw new Error('Postgres is away')
        return 'done'
      },
      { concurrency: 1 },
    )
    await own.wakeDue(jobKey(5))
    await eventually(() => expect(handled).toBe(1))

    await eventually(async () => {
      await own.wakeDue(jobKey(5))
      expect(handled).toBeGreaterThan(1)
    })
    await consumer.stop(AbortSignal.timeout(1_000))
  })
})

it('Redis answers and keeps its keys', async () => {
  await expect(bus.ping()).resolves.toBeUndefined()
})

it('a server that is not there is an error within seconds', async () => {
  await expect(connectBus({ url: 'redis://127.0.0.1:1', onError: () => {} })).rejects.toThrow()
})

function openBus({
  prefix = uniquePrefix(),
  onError = fail,
  clock = { now: () => new Date() },
}: {
  prefix?: string
  onError?: (error: Error) => void
  clock?: { now(): Date }
} = {}): Promise<Bus> {
  return connectBus({ url: inject('redisUrl'), prefix, onError, clock })
}

function fail(error: Error): never {
  throw error
}

async function webhookFigures(own: Bus): Promise<Readonly<Record<string, number>>> {
  const { queues } = await own.figures()
  return Object.fromEntries(queues.flatMap(({ queue, state, count }) => (queue === 'webhooks' ? [[state, count]] : [])))
}
