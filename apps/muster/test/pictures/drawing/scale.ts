import type { Unit } from './units.ts'

/** An axis: its ends, which are ticks, and all ticks from the lowest to the highest. */
export interface Scale {
  readonly min: number
  readonly max: number
  readonly ticks: readonly number[]
}

const decimalSteps = [1, 2, 5, 10] as const
const binarySteps = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024] as const
/** From ten seconds on, the steps of a clock. */
const clockSteps = [10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400] as const

/** An axis with zero on it, that holds all values and has `intervals` intervals at most. */
export function scaleOf(values: readonly number[], { steps }: Pick<Unit, 'steps'>, intervals: number): Scale {
  const lowest = Math.min(0, ...values)
  const highest = Math.max(0, ...values)
  if (lowest === highest) return { min: 0, max: 1, ticks: [0, 0.5, 1] }
  let step = stepOf((highest - lowest) / intervals, steps)
  // A range around zero needs a part of an interval on either side.
  if (Math.ceil(highest / step) - Math.floor(lowest / step) > intervals) step = stepOf(step * 1.01, steps)
  const from = Math.floor(lowest / step)
  const to = Math.ceil(highest / step)
  const ticks = Array.from({ length: to - from + 1 }, (_, index) => (from + index) * step)
  return { min: from * step, max: to * step, ticks }
}

/** The smallest usual step that is at least so large. */
function stepOf(least: number, steps: Unit['steps']): number {
  if (steps === 'time' && least > 5)
    return clockSteps.find((step) => step >= least) ?? Math.ceil(least / 86_400) * 86_400
  const [base, candidates] = steps === 'binary' ? [1024, binarySteps] : [10, decimalSteps]
  const power = base ** Math.floor(Math.log(least) / Math.log(base))
  // A quotient such as 0.3 / 0.1 is a little more than its number.
  return power * (candidates.find((candidate) => candidate * power >= least * 0.999_999) ?? base)
}
