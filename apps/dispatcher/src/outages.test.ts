import { expect, it } from 'vitest'
import { watchOutages } from './outages.ts'

it('J24 the time since an outage begins with the first answer after it', () => {
  let nowMs = 0
  const outages = watchOutages(() => nowMs)

  nowMs = 5_000
  const before = outages.secondsSince()
  outages.noteLoss()
  outages.noteLoss()
  nowMs = 60_000
  const during = outages.secondsSince()
  outages.noteAnswer()
  nowMs = 61_000
  outages.noteAnswer()

  expect([before, during, outages.secondsSince()]).toEqual([5, 0, 1])
})
