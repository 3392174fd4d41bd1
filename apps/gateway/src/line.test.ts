import { describe, expect, it } from 'vitest'
import { createLine } from './line.ts'

function givenLine() {
  const clock = { ms: 0 }
  const line = createLine({ nowMs: () => clock.ms })
  const ends: (() => void)[] = []
  const all: Promise<void>[] = []
  return {
    line,
    pass: (ms: number) => {
      clock.ms += ms
    },
    enter(count: number) {
      for (let n = 0; n < count; n += 1) {
        all.push(line.through(() => new Promise<void>((resolve) => ends.push(resolve))))
      }
    },
    async serve(count: number) {
      const served = all.splice(0, count)
      for (const end of ends.splice(0, count)) end()
      await Promise.all(served)
    },
  }
}

describe('the expected wait', () => {
  it('G58 is nothing while few are in line, even if none of them moves', () => {
    const { line, enter, pass } = givenLine()

    enter(100)
    pass(60_000)

    expect(line.expectedWaitMs()).toBe(0)
  })

  it('G58 is what those in line take at the pace of the last seconds, however many they are', async () => {
    const { line, enter, pass, serve } = givenLine()

    enter(20_000)
    for (let second = 0; second < 4; second += 1) {
      pass(1_000)
      await serve(4_000)
    }

    expect(line.expectedWaitMs()).toBeGreaterThan(500)
    expect(line.expectedWaitMs()).toBeLessThan(1_500)
  })

  it('G58 is long for few more than those if they are slow', async () => {
    const { line, enter, pass, serve } = givenLine()

    enter(400)
    for (let second = 0; second < 10; second += 1) {
      pass(1_000)
      await serve(10)
    }

    expect(line.expectedWaitMs()).toBeGreaterThan(20_000)
  })

  it('G58 grows with a standstill, and is short again after it', async () => {
    const { line, enter, pass, serve } = givenLine()
    enter(5_000)
    pass(1_000)
    await serve(2_000)

    pass(10_000)
    const still = line.expectedWaitMs()
    await serve(2_500)
    for (let step = 0; step < 4; step += 1) {
      enter(500)
      pass(100)
      await serve(500)
    }

    expect(still).toBeGreaterThan(10_000)
    expect(line.expectedWaitMs()).toBeLessThan(2_000)
  })

  it('G58 forgets a slow time that is long over', async () => {
    const { line, enter, pass, serve } = givenLine()
    enter(300)
    for (let second = 0; second < 5; second += 1) {
      pass(1_000)
      await serve(20)
    }
    await serve(200)

    pass(120_000)
    enter(5_000)

    expect(line.expectedWaitMs()).toBe(0)
  })

  it('G58 counts work that fails as served', async () => {
    const { line } = givenLine()

    await expect(line.through(() => Promise.reject(new Error('no store')))).rejects.toThrow('no store')

    expect(line.expectedWaitMs()).toBe(0)
  })
})
