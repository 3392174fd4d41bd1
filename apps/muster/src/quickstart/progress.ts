import { SingleBar } from 'cli-progress'
import type { JobReply } from './api-calls.ts'

/** Shows the progress of one job. */
export interface Progress {
  show(job: JobReply): void
  end(): void
}

export function openProgress(name: string, output: NodeJS.WriteStream): Progress {
  return output.isTTY ? bar(name, output) : lines(name, output)
}

function bar(name: string, output: NodeJS.WriteStream): Progress {
  const single = new SingleBar({
    format: `  ${name}  {bar}  {value} of {total} devices  {succeeded} succeeded  {failed} failed  {status}`,
    stream: output,
    barsize: 30,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    // The process handles signals itself, so the bar must not.
    gracefulExit: false,
  })
  return {
    show(job) {
      const { deviceCount, succeeded, failed } = countsOf(job)
      // A bar for 0 devices would be full, so it begins when the target set is known.
      if (deviceCount === 0) return
      const shown = { succeeded, failed, status: job.status }
      if (single.isActive) single.update(succeeded + failed, shown)
      else single.start(deviceCount, succeeded + failed, shown)
    },
    end: () => single.stop(),
  }
}

/** For a pipe or a log: a line when the status changes, and one a second while the counts do. */
function lines(name: string, output: NodeJS.WriteStream): Progress {
  let shown = { line: '', status: '', atMs: 0 }
  return {
    show(job) {
      const { deviceCount, succeeded, failed } = countsOf(job)
      const counts = `${succeeded + failed} of ${deviceCount} devices, ${succeeded} succeeded, ${failed} failed`
      const line = `  ${name}  ${deviceCount === 0 ? '' : `${counts}, `}${job.status}\n`
      const isDue = job.status !== shown.status || performance.now() - shown.atMs > 1000
      if (line === shown.line || !isDue) return
      output.write(line)
      shown = { line, status: job.status, atMs: performance.now() }
    },
    end: () => {},
  }
}

function countsOf({ deviceJobStatistics: counts }: JobReply) {
  return {
    deviceCount: counts?.deviceCount ?? 0,
    succeeded: counts?.succeededCount ?? 0,
    failed: counts?.failedCount ?? 0,
  }
}
