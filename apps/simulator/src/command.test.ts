import { CommanderError } from 'commander'
import { expect, it } from 'vitest'
import { simulateCommand } from './command.ts'

it.each([
  [
    ['--devices', 'many'],
    "error: option '--devices <count>' argument 'many' is invalid. Expected a whole number from 1 to 100000.",
  ],
  [
    ['--failing', '60%', '--silent', '50%'],
    'error: --failing, --silent and --offline are 110% together; expected 100% at most',
  ],
  [['--fast'], "error: unknown option '--fast'"],
  [[], 'error: no hub runs on this machine (there is no /nowhere/hub.json); start one, or give --connection-string'],
  [
    ['--connection-string-file', '/nowhere/hub'],
    "error: the connection string in /nowhere/hub cannot be read: ENOENT: no such file or directory, open '/nowhere/hub'",
  ],
])('%j ends with one clear line and exit code 1', async (args, line) => {
  expect(await run(args)).toEqual({ line: `${line}\n`, exitCode: 1 })
})

it.each([
  'HostName=localhost;SharedAccessKeyName=service;SharedAccessKey=VerySecret*',
  'HostName=localhost;DeviceId=d1;SharedAccessKey=VerySecret00',
  'SharedAccessKey=VerySecret00',
  'VerySecret00',
])('a connection string that will not do is refused without showing its key', async (text) => {
  const { line, exitCode } = await run(['--connection-string', text])

  expect(exitCode).toBe(1)
  expect(line).toMatch(/^error: .*connection.string.*\n$/)
  expect(line).not.toContain('VerySecret')
})

async function run(args: readonly string[]): Promise<{ line: string; exitCode: number }> {
  let line = ''
  const command = simulateCommand({ hubFile: () => '/nowhere/hub.json' })
    .exitOverride()
    .configureOutput({ writeErr: (text) => (line += text) })
  try {
    await command.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return { line, exitCode: error.exitCode }
    throw error
  }
  throw new Error('the command did not end')
}
