import { z } from 'zod'

/** More than 0, at most 100, in hundredths of a percent at the finest: so much can be compared exactly. */
export const percentage = z
  .number()
  .max(100)
  .refine((value) => value > 0, { error: 'more than 0' })
  .refine((value) => hundredthsOf(value) / 100 === value, { error: 'a percentage with at most two decimals' })

/** A percentage as an integer. */
export function hundredthsOf(percent: number): number {
  return Math.round(percent * 100)
}
