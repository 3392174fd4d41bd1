import { openEvents, openLog, openMetrics } from '@muster/runtime'
import { readEvents } from '@muster/testkit'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createAudience, heartbeatMs, listenersMax } from '../../src/events/audience.ts'
import { untakenMs } from '../../src/events/event-stream.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const request = {
  jobKey: null,
  jobId: null,
  after: 0,
  isNew: false,
  cut: () => {},
  hasEnd: false,
  expiresAtMs: Number.POSITIVE_INFINITY,
  caller: { account: null, clientAddress: null, trackingId: 't' },
}

function givenAudience() {
  const metrics = openMetrics('1.2.3', ['api'])
  const events = openEvents({ log: openLog('silent'), metrics })
  return { audience: createAudience(events), events, metrics }
}

it('E7 a stream on which nothing is told has a heartbeat every 15 s, and one that waits to be read has none', async () => {
  const { audience } = givenAudience()
  const listener = audience.enter(request)
  const stream = readEvents(new Response(listener.stream.body))
  const reading = stream.next()
  await vi.waitFor(() => expect(listener.stream.isTaken()).toBe(true))

  vi.advanceTimersByTime(heartbeatMs)
  expect(await reading).toMatchObject({ event: 'comment', data: 'heartbeat' })
  // Nobody reads now: this one waits, and none comes behind it.
  vi.advanceTimersByTime(heartbeatMs * 10)
  audience.close()

  expect(await stream.rest()).toHaveLength(1)
  expect(heartbeatMs).toBe(15_000)
  expect(vi.getTimerCount()).toBe(0)
})

it('E8 a process takes so many listeners, shows how many it has, and has room again when one leaves', async () => {
  const { audience, metrics } = givenAudience()
  const listeners = Array.from({ length: listenersMax }, () => audience.enter(request))

  expect(() => audience.enter(request)).toThrow(/^2000 listeners are connected to this process; try again$/)
  await listeners[0]?.stream.body.cancel()
  audience.enter(request)

  const { text } = await metrics.scrape((error) => expect.fail(String(error)))
  expect(text).toContain('muster_event_listeners 2000\n')
  expect(text).toContain('muster_event_stream_ended_total{reason="left"} 1\n')
  audience.close()
})

it('E7 a reader that never reads is dropped at 1 MiB, and what waited for it is forgotten', async () => {
  const { audience, events } = givenAudience()
  const ends: string[] = []
  events.on('eventStreamEnded', ({ reason }) => ends.push(reason))
  const listener = audience.enter(request)

  for (let count = 0; count < 17; count += 1) audience.send(listener, new Uint8Array(2 ** 16))

  expect(ends).toEqual(['slow'])
  expect(audience.all()).toEqual([])
  expect(await readEvents(new Response(listener.stream.body)).rest()).toMatchObject([{ event: 'dropped' }])
})

it('E7 a reader that has stopped keeps its place until it is cut, 5 s after its end', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] })
  const { audience } = givenAudience()
  const cut = vi.fn()
  const listener = audience.enter({ ...request, cut })
  for (let count = 1; count < listenersMax; count += 1) audience.enter(request)

  audience.end(listener, 'slow')
  expect(() => audience.enter(request)).toThrow(/^2000 listeners are connected/)
  vi.advanceTimersByTime(untakenMs - 1)
  expect(cut).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(cut).toHaveBeenCalledOnce()
  // As the connection does when it is closed.
  await listener.stream.body.cancel()

  audience.enter(request)
  expect(untakenMs).toBe(5_000)
})

it('E7 a reader that takes its end in time is not cut', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] })
  const { audience } = givenAudience()
  const cut = vi.fn()
  const listener = audience.enter({ ...request, cut })

  audience.end(listener, 'slow')
  const told = await readEvents(new Response(listener.stream.body)).rest()

  expect(told).toMatchObject([{ event: 'dropped' }])
  expect(vi.getTimerCount()).toBe(0)
  expect(cut).not.toHaveBeenCalled()
})
