import { complaintOf, exitCodes, ownWords, readEnvironment } from '@muster/cli'
import { CommanderError } from 'commander'
import { createProgram } from './program.ts'
import { roleNames } from './server-commands.ts'

const environment = readEnvironment(async () => (await import('@muster/local-services')).defaultDataDir())

try {
  const words = withServe(ownWords(process.argv.slice(2)))
  const program = await createProgram(words, environment)
  await program.parseAsync(words, { from: 'user' })
} catch (error) {
  process.exitCode = await report(error)
}

/** `muster api gateway` was there before `muster serve api gateway`, and stays. */
function withServe(words: readonly string[]): readonly string[] {
  return roleNames.some((name) => name === words[0]) ? ['serve', ...words] : words
}

/** Tells the user about an error, and gives the exit code. */
async function report(error: unknown): Promise<number> {
  // commander has told it. A command ends with its own code, and help that was asked for with 0; all else is a wrong command line.
  if (error instanceof CommanderError) {
    return error.exitCode === 0 || error.code === 'commander.error' ? error.exitCode : exitCodes.usage
  }
  const complaint = complaintOf(error)
  if (complaint === null) {
    const { complain } = await import('./complain.ts')
    complain(error)
    return exitCodes.failed
  }
  process.stderr.write(`muster: ${complaint.text}\n`)
  return complaint.exitCode
}
