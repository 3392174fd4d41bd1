import { createInterface } from 'node:readline/promises'
import type { Environment } from '../environment.ts'
import { CommandError, usageError } from '../failure.ts'
import { withoutControls } from '../plain-text.ts'

/**
 * Asks before something that cannot be taken back.
 * @throws CommandError when the answer is no, or when there is nobody to ask
 */
export async function confirm(question: string, { stdin, stderr }: Environment): Promise<void> {
  if (!stdin.isTTY) throw usageError(`${question} Nobody can be asked here: add --yes`)
  const terminal = createInterface({ input: stdin, output: stderr })
  const answer = await terminal.question(`${withoutControls(question)} [y/N] `).finally(() => terminal.close())
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError('nothing was done')
}
