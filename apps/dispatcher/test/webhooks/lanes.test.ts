import { findDueWebhooks } from '@muster/store'
import { eventually, startReceiver } from '@muster/testkit'
import { expect, it } from 'vitest'
import { wakeWebhooks } from '../../src/sweeps/wake-webhooks.ts'
import { createLanes } from '../../src/webhooks/lanes.ts'
import { givenTwoEvents, givenWebhook, openHub, toldTo } from './hub.ts'

it('W8 one hanging receiver has four calls under way, and the next webhook gets its events meanwhile', async () => {
  const hub = await openHub({ timeoutMs: 60_000 })
  const held: (() => void)[] = []
  await using hanging = await startReceiver((response) => held.push(() => response.writeHead(204).end()))
  await using receiver = await startReceiver()
  const slow = await givenWebhook(hub, hanging.url, 'slow')
  const fast = await givenWebhook(hub, receiver.url, 'fast')
  for (let no = 0; no < 10; no += 1) await givenTwoEvents(hub, `job-${no}`)
  const lanes = createLanes(hub)

  for (let times = 0; times < 20; times += 1) lanes.open(slow.key)
  await eventually(() => expect(held).toHaveLength(4))
  lanes.open(fast.key)
  await eventually(() => expect(receiver.received).toHaveLength(20), { timeoutMs: 20_000 })
  const underWay = toldTo(hanging)
  const stopped = lanes.stop(AbortSignal.timeout(20_000))
  for (const answer of held) answer()
  await stopped

  expect(underWay.toSorted()).toEqual([0, 1, 2, 3].map((no) => `job-${no} created`))
  expect(hanging.received).toHaveLength(4)
})

it('W8 two dispatchers send each event once, in the order of its job, ten times over', async () => {
  for (let no = 0; no < 10; no += 1) {
    const hub = await openHub()
    const other = await openHub({ beside: hub })
    const underWay = new Set<string>()
    const overlaps: string[] = []
    await using receiver = await startReceiver((response, { body }) => {
      const { jobId } = JSON.parse(body)
      if (underWay.has(jobId)) overlaps.push(jobId)
      underWay.add(jobId)
      setImmediate(() => {
        underWay.delete(jobId)
        response.writeHead(204).end()
      })
    })
    const { key } = await givenWebhook(hub, receiver.url)
    for (let job = 0; job < 12; job += 1) await givenTwoEvents(hub, `job-${job}`)
    const both = [createLanes(hub), createLanes(other)]

    await eventually(
      async () => {
        for (const lanes of both) lanes.open(key)
        expect(await findDueWebhooks(hub.db, hub.clock.now())).toEqual([])
        expect(receiver.received.length).toBeGreaterThanOrEqual(24)
      },
      { timeoutMs: 20_000 },
    )
    for (const lanes of both) await lanes.stop(AbortSignal.timeout(5_000))

    const told = toldTo(receiver)
    expect(overlaps).toEqual([])
    expect(new Set(told).size).toBe(24)
    expect(told).toHaveLength(24)
    for (let job = 0; job < 12; job += 1) {
      expect(told.filter((each) => each.startsWith(`job-${job} `))).toEqual([
        `job-${job} created`,
        `job-${job} cancelled`,
      ])
    }
  }
})

it('W9 while Redis is away the dispatcher that finds due events sends them itself', async () => {
  const hub = await openHub()
  await using receiver = await startReceiver()
  await givenWebhook(hub, receiver.url)
  await givenTwoEvents(hub, 'told')
  const lanes = createLanes(hub)
  await hub.bus[Symbol.asyncDispose]()

  await wakeWebhooks({ ...hub, lanes })

  await eventually(() => expect(toldTo(receiver)).toEqual(['told created', 'told cancelled']))
  await lanes.stop(AbortSignal.timeout(5_000))
})

it('a lane that is stopped ends its call and begins no other', async () => {
  const hub = await openHub()
  await using receiver = await startReceiver((response) => {
    void lanes.stop(AbortSignal.timeout(5_000))
    response.writeHead(204).end()
  })
  const { key } = await givenWebhook(hub, receiver.url)
  await givenTwoEvents(hub, 'told')
  const lanes = createLanes(hub)

  lanes.open(key)
  await eventually(() => expect(receiver.received).toHaveLength(1))
  await lanes.stop(AbortSignal.timeout(5_000))
  lanes.open(key)
  await lanes.stop(AbortSignal.timeout(5_000))

  expect(toldTo(receiver)).toEqual(['told created'])
  expect(await findDueWebhooks(hub.db, hub.clock.now())).toEqual([key])
})
