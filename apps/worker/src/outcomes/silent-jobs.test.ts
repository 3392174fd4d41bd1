import { jobKey } from '@muster/contract'
import { expect, it } from 'vitest'
import { createSilentJobs } from './silent-jobs.ts'

it('counts each job once, and forgets it five minutes after its last silent device', () => {
  let nowMs = 0
  const jobs = createSilentJobs({ nowMs: () => nowMs })

  jobs.note(jobKey('1'))
  jobs.note(jobKey('1'))
  jobs.note(jobKey('2'))
  nowMs = 200_000
  jobs.note(jobKey('2'))
  const soon = jobs.count()
  nowMs = 400_000
  const later = jobs.count()
  nowMs = 501_000

  expect([soon, later, jobs.count()]).toEqual([2, 1, 0])
})

it('does not grow above a thousand', () => {
  const jobs = createSilentJobs({ nowMs: () => 0 })

  for (let key = 1; key <= 1_500; key += 1) jobs.note(jobKey(String(key)))

  expect(jobs.count()).toBe(1_000)
})
