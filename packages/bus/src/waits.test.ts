import { once } from 'node:events'
import { createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createWaits } from './waits.ts'

afterEach(() => void vi.useRealTimers())

/** Time that passes step by step, or in a pause in which nothing runs. */
function givenWaits() {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] })
  const clock = { ms: 0 }
  const waits = createWaits({ nowMs: () => clock.ms })
  return {
    waits,
    clock,
    run(ms: number) {
      for (let step = 0; step < ms; step += 10) {
        clock.ms += 10
        vi.advanceTimersByTime(10)
      }
    },
    pause(ms: number) {
      clock.ms += ms
    },
  }
}

describe('a wait', () => {
  it('G35 ends once, when its time is over', () => {
    const { waits, run } = givenWaits()
    const end = vi.fn()

    waits.start(5_000, end)
    run(4_990)
    const before = end.mock.calls.length
    run(10_000)

    expect([before, end.mock.calls.length]).toEqual([0, 1])
  })

  it('G35 that is cancelled never ends', () => {
    const { waits, run } = givenWaits()
    const [cancelled, other] = [vi.fn(), vi.fn()]

    const cancel = waits.start(1_000, cancelled)
    waits.start(1_000, other)
    cancel()
    cancel()
    run(5_000)

    expect([cancelled.mock.calls.length, other.mock.calls.length]).toEqual([0, 1])
  })

  it('G35 is given the time in which the process stood still', () => {
    const { waits, run, pause } = givenWaits()
    const end = vi.fn()

    waits.start(5_000, end)
    run(1_000)
    pause(60_000)
    run(3_800)
    const before = end.mock.calls.length
    run(500)

    expect([before, end.mock.calls.length]).toEqual([0, 1])
  })

  it('G35 may be started and cancelled by the end of another', () => {
    const { waits, run } = givenWaits()
    const [second, third] = [vi.fn(), vi.fn()]
    const cancel = { third: () => {} }

    waits.start(100, () => {
      waits.start(0, second)
      cancel.third()
    })
    cancel.third = waits.start(100, third)
    run(1_000)

    expect([second.mock.calls.length, third.mock.calls.length]).toEqual([1, 0])
  })

  it('G35 lasts its time of waking, whatever pauses and other waits there are, and two ticks more at most', () => {
    const happening = fc.oneof(
      fc.record({ kind: fc.constant('run' as const), ms: fc.integer({ min: 1, max: 200 }).map((n) => n * 10) }),
      fc.record({ kind: fc.constant('pause' as const), ms: fc.integer({ min: 1_000, max: 100_000 }) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
    )
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 40 }), (happenings) => {
        const { waits, run, pause, clock } = givenWaits()
        let pausedMs = 0
        const excesses: number[] = []
        let started = 0
        for (const { kind, ms } of [...happenings, { kind: 'run' as const, ms: 5_000 }]) {
          if (kind === 'run') run(ms)
          if (kind === 'pause') {
            pause(ms)
            pausedMs += ms
            run(100)
          }
          if (kind === 'wait') {
            const dueMs = clock.ms - pausedMs + ms
            started += 1
            waits.start(ms, () => excesses.push(clock.ms - pausedMs - dueMs))
          }
        }
        vi.useRealTimers()

        expect(excesses).toHaveLength(started)
        // A pause counts as one tick, which may not have passed, and puts the next end off by another.
        const pauses = happenings.filter(({ kind }) => kind === 'pause').length
        expect(Math.min(...excesses, 0)).toBeGreaterThanOrEqual(-100 * pauses)
        expect(Math.max(...excesses, 0)).toBeLessThanOrEqual(200 + 100 * pauses)
      }),
    )
  })

  it('G35 ends after an answer that came while the process stood still', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    // Another thread answers while this one stands still.
    const answerer = new Worker(
      `const { connect } = require('node:net')
       const socket = connect(${port}, '127.0.0.1')
       socket.on('data', () => socket.write('answer'))`,
      { eval: true },
    )
    const [socket] = await once(server, 'connection')
    const heard: string[] = []
    socket.on('data', () => heard.push('answer'))

    const ended = new Promise<void>((resolve) => {
      createWaits().start(100, () => {
        heard.push('end')
        resolve()
      })
    })
    socket.write('question')
    await new Promise((resolve) => setImmediate(resolve))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500)
    await ended

    expect(heard).toEqual(['answer', 'end'])
    await answerer.terminate()
    socket.destroy()
    server.close()
  })
})
