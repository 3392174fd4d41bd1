import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startHubClock } from './hub-clock.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const hubAtStart = Date.UTC(2026, 0, 1)

/** A clock over a Postgres and a machine that are stepped by hand. */
async function givenClock({ tripMs = 2 } = {}) {
  const state = { steadyMs: 0, wallMs: 0, hubMs: hubAtStart, tripMs, isAway: false, readings: 0 }
  const logged: string[] = []
  const measure = async () => {
    if (state.isAway) throw new Error('Postgres is away')
    state.readings += 1
    const { steadyMs, hubMs } = state
    return { sentMs: steadyMs - state.tripMs, receivedMs: steadyMs, hubMs: hubMs - state.tripMs / 2 }
  }
  const clock = await startHubClock(
    measure,
    {
      clockMeasured: () => {},
      clockTrusted: () => void logged.push('trusted'),
      clockDoubted: ({ reason }) => void logged.push(reason),
    },
    { steadyMs: () => state.steadyMs, wallMs: () => state.wallMs },
  )
  return {
    state,
    clock,
    logged,
    async pass(seconds: number) {
      for (let second = 0; second < seconds; second += 1) {
        state.steadyMs += 1_000
        state.wallMs += 1_000
        state.hubMs += 1_000
        await vi.advanceTimersByTimeAsync(1_000)
      }
    },
  }
}

describe('the clock of a process', () => {
  it('C1 shows the time of Postgres, measured at the start and every ten seconds', async () => {
    const { state, clock, pass } = await givenClock()

    await pass(35)

    expect(clock.now().getTime()).toBe(hubAtStart + 35_000)
    expect(clock.isTrusted()).toBe(true)
    expect(state.readings).toBe(4)
  })

  it('C1 does not heed how the clock of its machine is set', async () => {
    const { state, clock, pass } = await givenClock()
    state.wallMs += 3_600_000
    await pass(3)
    state.wallMs -= 7_200_000
    await pass(3)

    expect(clock.now().getTime()).toBe(hubAtStart + 6_000)
  })

  it('C3 is not trusted after a minute without a measurement, and again after the next one; each is logged once', async () => {
    const { state, clock, logged, pass } = await givenClock()
    state.isAway = true
    await pass(60)
    expect(clock.isTrusted()).toBe(true)

    await pass(10)

    expect(clock.isTrusted()).toBe(false)
    expect(clock.doubt()).toBe('the time of Postgres was last measured 70 s ago')
    state.isAway = false
    await pass(1)
    expect(clock.isTrusted()).toBe(true)
    expect(logged).toEqual(['the time of Postgres was last measured 61 s ago', 'trusted'])
  })

  it('C3 is not trusted while it is known to more than half a second', async () => {
    const { state, clock, pass } = await givenClock({ tripMs: 1_002 })
    expect(clock.doubt()).toBe('the time of Postgres is known to 501 ms only')

    state.tripMs = 10
    await pass(1)

    expect(clock.isTrusted()).toBe(true)
  })

  it('C3 is not trusted after its machine slept, until it is measured again', async () => {
    const { state, clock, pass } = await givenClock()
    // The clock that never jumps stands still meanwhile.
    state.wallMs += 600_000
    state.hubMs += 600_000
    expect(clock.doubt()).toBe('the clock of this machine jumped by 600000 ms')

    await pass(1)

    expect(clock.isTrusted()).toBe(true)
    expect(clock.now().getTime()).toBe(hubAtStart + 601_000)
  })

  it('C3 is not trusted while it is ahead of Postgres, whose clock was set back', async () => {
    const { state, clock, pass } = await givenClock()
    state.hubMs -= 10_000
    await pass(11)
    expect(clock.isTrusted()).toBe(false)

    await pass(20)

    expect(clock.isTrusted()).toBe(true)
    expect(clock.now().getTime()).toBe(state.hubMs)
  })
})
