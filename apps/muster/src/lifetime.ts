import closeWithGrace from 'close-with-grace'
import { complain } from './complain.ts'

/** The parts of its process that a command uses. */
export interface Lifetime {
  /** Aborts when the process is to end. */
  readonly signal: AbortSignal
  /** Closes the resource at the end; the last one is closed first. Each bounds its own time. */
  defer(close: () => PromiseLike<void>): void
}

/** How a command ends: it has done its work, with or without success, or it serves until the process is told to end. */
export type Outcome = 'done' | 'failed' | 'serving'

/**
 * Runs a command to the end of the process. The process ends when the command is done, at a signal, or when the parent process at the
 * other end of our channel is gone. Exits with 1 when the command failed, or was interrupted and `mustFinish`; else with 0. A second
 * signal ends the process at once.
 */
export async function live(
  command: (lifetime: Lifetime) => Promise<Outcome>,
  { mustFinish = false } = {},
): Promise<void> {
  const stopping = new AbortController()
  const closers: (() => PromiseLike<void>)[] = []

  const closeAll = async () => {
    stopping.abort()
    const failures: unknown[] = []
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
      // A resource that fails to close must not keep the others open.
      await close().then(undefined, (error) => failures.push(error))
    }
    for (const failure of failures) complain(failure)
    return failures.length === 0
  }
  const grace = closeWithGrace({ delay: false, logger: false }, async ({ err }) => {
    if (err !== undefined) complain(err)
    const isClean = await closeAll()
    if (!isClean || mustFinish) throw new Error('ended without success')
  })
  process.once('disconnect', () => {
    if (!stopping.signal.aborted) grace.close()
  })

  try {
    const outcome = await command({ signal: stopping.signal, defer: (close) => closers.push(close) })
    if (outcome !== 'serving') await end(outcome === 'done' ? 0 : 1)
  } catch (error) {
    // After a signal everything may fail. That is no error, because the process is already ending.
    if (stopping.signal.aborted) return
    complain(error)
    await end(1)
  }

  async function end(exitCode: number): Promise<void> {
    grace.uninstall()
    const isClean = await closeAll()
    process.exit(isClean ? exitCode : 1)
  }
}
