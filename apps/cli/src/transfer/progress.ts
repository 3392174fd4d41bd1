import { CommandError, exitCodes } from '../failure.ts'

/** Shows how much of a transfer is done, on standard error. Ctrl-C ends it. */
export interface TransferProgress extends Disposable {
  readonly signal: AbortSignal
  show(done: number, total: number): void
}

const redrawMs = 100
/** Without a terminal, one line for each part of so many. */
const parts = 10

/** `goesOn`: what to do after Ctrl-C. */
export function openTransferProgress(stderr: NodeJS.WriteStream, goesOn: string): TransferProgress {
  const stop = new AbortController()
  let last = { text: '', part: -1, atMs: 0 }
  const interrupt = () =>
    stop.abort(
      new CommandError(`stopped at ${last.text || 'the check of the file'}; ${goesOn}`, {
        exitCode: exitCodes.interrupted,
      }),
    )
  process.once('SIGINT', interrupt)
  return {
    signal: stop.signal,
    show(done, total) {
      const text = `${done} of ${total}`
      const part = total === 0 ? parts : Math.floor((done / total) * parts)
      const isDue = stderr.isTTY ? Date.now() - last.atMs >= redrawMs || done === total : part !== last.part
      if (isDue) stderr.write(stderr.isTTY ? `\r\u001b[K${text}` : `${text}\n`)
      last = { text, part, atMs: isDue ? Date.now() : last.atMs }
    },
    [Symbol.dispose]() {
      process.removeListener('SIGINT', interrupt)
      if (stderr.isTTY && last.text !== '') stderr.write('\n')
    },
  }
}
