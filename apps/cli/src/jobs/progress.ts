import type { DeviceJobStatistics } from '@muster/client'
import { withoutControls } from '../plain-text.ts'

/** Shows how far a job is. On a terminal one line is drawn again and again; elsewhere each change is a line. */
export interface Progress extends Disposable {
  show(status: string, counts: DeviceJobStatistics): void
  /** A line that stays. */
  note(text: string): void
}

/** `isQuiet`: only the notes are shown. */
export function openProgress(jobId: string, stderr: NodeJS.WriteStream, isQuiet: boolean): Progress {
  let shown = ''
  return {
    show(status, counts) {
      if (isQuiet) return
      const line = withoutControls(`${jobId}  ${progressText(status, counts)}`)
      if (stderr.isTTY) stderr.write(`\r\u001b[K${line}`)
      else if (line !== shown) stderr.write(`${line}\n`)
      shown = line
    },
    note(text) {
      const line = `${withoutControls(text)}\n`
      stderr.write(stderr.isTTY ? `\r\u001b[K${line}` : line)
    },
    [Symbol.dispose]() {
      if (stderr.isTTY && shown !== '') stderr.write('\n')
      shown = ''
    },
  }
}

const barLength = 30

/** `running  ███░░░  26 of 40, 24 succeeded, 2 failed`. Counts that are 0 are left out. */
export function progressText(status: string, counts: DeviceJobStatistics): string {
  const {
    deviceCount,
    succeededCount,
    failedCount,
    runningCount,
    pendingCount,
    canceledCount,
    skippedCount = 0,
  } = counts
  const doneCount = succeededCount + failedCount + canceledCount + skippedCount
  const filled = deviceCount === 0 ? 0 : Math.floor((doneCount / deviceCount) * barLength)
  const bar = '█'.repeat(filled) + '░'.repeat(barLength - filled)
  const parts = [
    [succeededCount, 'succeeded'],
    [failedCount, 'failed'],
    [canceledCount, 'canceled'],
    [skippedCount, 'skipped'],
    [runningCount, 'running'],
    [pendingCount, 'pending'],
  ] as const
  const shown = parts.flatMap(([count, word]) => (count === 0 ? [] : [`${count} ${word}`]))
  return `${status}  ${bar}  ${[`${doneCount} of ${deviceCount}`, ...shown].join(', ')}`
}
