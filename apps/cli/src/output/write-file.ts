import { createWriteStream } from 'node:fs'
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
  await pipeline(parts, target).catch((cause: NodeJS.ErrnoException) => {
    throw cause.path === file ? new CommandError(`${file} cannot be written: ${cause.message}`, { cause }) : cause
  })
}
