import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { CommandError } from '../failure.ts'

/** Writes to a file, or to the standard output without one. Takes no more than its reader does. @throws CommandError */
export async function writeParts(
  parts: AsyncIterable<string | Uint8Array>,
  file: string | undefined,
  stdout: NodeJS.WriteStream,
): Promise<void> {
  if (file === undefined) return pipeline(parts, stdout, { end: false })
  const target = createWriteStream(file)
  await pipeline(parts, target).catch((cause: unknown) => {
    throw isOfFile(cause, file) ? new CommandError(`${file} cannot be written: ${cause.message}`, { cause }) : cause
  })
}

/**
 * Writes a file that only its owner may read. It is there when it is whole: a file of the same name keeps its content until then.
 * @throws CommandError
 */
export async function writeSecret(parts: AsyncIterable<string>, file: string): Promise<void> {
  const unfinished = `${file}.${process.pid}.new`
  try {
    await pipeline(parts, createWriteStream(unfinished, { mode: 0o600, flags: 'wx' }))
    await rename(unfinished, file)
  } catch (cause) {
    await rm(unfinished, { force: true })
    throw isOfFile(cause, unfinished)
      ? new CommandError(`${file} cannot be written: ${cause.message}`, { cause })
      : cause
  }
}

function isOfFile(cause: unknown, path: string): cause is Error {
  return cause instanceof Error && 'path' in cause && cause.path === path
}
