import { once } from 'node:events'

/** Writes lines, and waits while the reader is slow. */
export async function printLines(stdout: NodeJS.WriteStream, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return
  if (!stdout.write(`${lines.join('\n')}\n`)) await once(stdout, 'drain')
}
