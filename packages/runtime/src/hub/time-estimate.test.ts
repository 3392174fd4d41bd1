import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { estimateTime, type Measurement } from './time-estimate.ts'

/** A reading of a Postgres that is so far ahead of this process: its answer takes `tripMs`, and it reads its clock at a share of it. */
interface Reading {
  readonly afterMs: number
  readonly tripMs: number
  readonly share: number
}

const arbitraryReading = fc.record({
  afterMs: fc.integer({ min: 0, max: 20_000 }),
  tripMs: fc.double({ min: 0, max: 400, noNaN: true }),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
})

function measured(sentMs: number, aheadMs: number, { tripMs, share }: Reading): Measurement {
  return { sentMs, receivedMs: sentMs + tripMs, hubMs: sentMs + share * tripMs + aheadMs }
}

const promptly: Reading = { afterMs: 0, tripMs: 2, share: 0.5 }

describe('the time of the hub', () => {
  it('C2 never goes back, whatever Postgres says', () => {
    const arbitraryAhead = fc.integer({ min: -7_200_000, max: 7_200_000 })
    fc.assert(
      fc.property(fc.array(fc.tuple(arbitraryReading, arbitraryAhead), { maxLength: 30 }), (readings) => {
        const estimate = estimateTime(measured(0, 0, promptly))
        let steadyMs = 2
        let lastMs = estimate.at(steadyMs)
        for (const [reading, aheadMs] of readings) {
          const measurement = measured(steadyMs + reading.afterMs, aheadMs, reading)
          const between = [
            measurement.sentMs,
            (measurement.sentMs + measurement.receivedMs) / 2,
            measurement.receivedMs,
          ]
          for (const moment of between) {
            expect(estimate.at(moment)).toBeGreaterThanOrEqual(lastMs)
            lastMs = estimate.at(moment)
          }
          estimate.add(measurement)
          steadyMs = measurement.receivedMs
          expect(estimate.at(steadyMs)).toBeGreaterThanOrEqual(lastMs)
          lastMs = estimate.at(steadyMs)
        }
      }),
    )
  })

  it('C2 does not go back by a rounding', () => {
    const estimate = estimateTime(measured(0, 0, promptly))
    const instant = { afterMs: 0, tripMs: 0, share: 0 }
    estimate.add(measured(2, 4_194_305, instant))
    estimate.add(measured(2, 0, instant))
    const tripMs = 9.313232407492933e-10

    const told = [2, 2 + tripMs / 2, 2 + tripMs].map(estimate.at)

    expect(told).toEqual(told.toSorted((one, other) => one - other))
  })

  it('C1 differs from the time of Postgres by the stated error at most, however the round trips are', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryReading, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: -7_200_000, max: 7_200_000 }),
        fc.integer({ min: 0, max: 60_000 }),
        (readings, aheadMs, laterMs) => {
          const [first = promptly, ...others] = readings
          const estimate = estimateTime(measured(0, aheadMs, first))
          let steadyMs = first.tripMs
          for (const reading of others) {
            const measurement = measured(steadyMs + reading.afterMs, aheadMs, reading)
            estimate.add(measurement)
            steadyMs = measurement.receivedMs
          }

          const moment = steadyMs + laterMs
          const differsMs = Math.abs(estimate.at(moment) - (moment + aheadMs))

          expect(differsMs).toBeLessThanOrEqual(estimate.errorMs(moment) + 1e-3)
        },
      ),
    )
  })

  it('C1 finds the time of Postgres again after a jump, with the error of one reading', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -3_600_000, max: 3_600_000 }),
        fc.array(arbitraryReading, { minLength: 5, maxLength: 5 }),
        (jumpMs, readings) => {
          const estimate = estimateTime(measured(0, 0, promptly))
          let steadyMs = 2
          for (const reading of readings) {
            const measurement = measured(steadyMs + reading.afterMs, jumpMs, reading)
            estimate.add(measurement)
            steadyMs = measurement.receivedMs
          }

          // Ahead by an hour at half speed: two hours.
          const settledMs = steadyMs + 7_300_000

          expect(Math.abs(estimate.at(settledMs) - (settledMs + jumpMs))).toBeLessThanOrEqual(400)
          expect(estimate.errorMs(settledMs)).toBeLessThanOrEqual(800)
        },
      ),
    )
  })

  it('C1 is not moved by one slow answer among five', () => {
    const estimate = estimateTime(measured(0, 1_000, promptly))
    for (const sentMs of [10_000, 20_000, 30_000]) estimate.add(measured(sentMs, 1_000, promptly))

    estimate.add(measured(40_000, 1_000, { afterMs: 0, tripMs: 5_000, share: 0 }))

    expect(estimate.at(50_000)).toBe(51_000)
    expect(estimate.errorMs(50_000)).toBe(1)
  })

  it('C2 that is ahead goes at half its speed until Postgres has come up with it', () => {
    const estimate = estimateTime(measured(0, 10_000, promptly))
    estimate.add(measured(100, 0, promptly))

    expect(estimate.at(102)).toBe(10_102)
    expect(estimate.at(1_102)).toBe(10_602)
    expect(estimate.errorMs(1_102)).toBe(9_501)
    expect(estimate.at(30_102)).toBe(30_102)
    expect(estimate.errorMs(30_102)).toBe(1)
  })
})
