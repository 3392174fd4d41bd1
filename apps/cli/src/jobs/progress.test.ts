import { expect, it } from 'vitest'
import { progressText } from './progress.ts'

const none = { deviceCount: 0, succeededCount: 0, failedCount: 0, runningCount: 0, pendingCount: 0, canceledCount: 0 }

it('the progress of a job is a bar of the devices that are done, and the counts that are not 0', () => {
  const counts = { ...none, deviceCount: 40, succeededCount: 24, failedCount: 6, pendingCount: 10 }

  expect(progressText('running', counts)).toBe(
    `running  ${'█'.repeat(22)}${'░'.repeat(8)}  30 of 40, 24 succeeded, 6 failed, 10 pending`,
  )
})

it('the bar of a job without devices is empty', () => {
  expect(progressText('completed', none)).toBe(`completed  ${'░'.repeat(30)}  0 of 0`)
})
