import { readEnvironment } from '@muster/cli'
import { expect, it } from 'vitest'
import { createProgram } from '../../src/program.ts'
import { cliPage, helpOf, leavesOf } from './cli-page.ts'

const program = () =>
  createProgram(
    ['--help'],
    readEnvironment(async () => '/nowhere'),
  )

it('docs/cli.md says what the program says', async () => {
  await expect(cliPage(await program())).toMatchFileSnapshot('../../../../docs/cli.md')
})

it('every command has an example that begins with its own name', async () => {
  const lacking = leavesOf(await program(), 'muster').filter(([name, command]) => {
    const [, examples = ''] = helpOf(command).split(/^Examples?:$/m)
    return !examples.includes(name)
  })

  expect(lacking.map(([name]) => name)).toEqual([])
})

it('a command for callers is made without those that run a hub', async () => {
  const light = await createProgram(
    ['job', 'list'],
    readEnvironment(async () => '/nowhere'),
  )

  expect(light.commands.map((command) => command.name())).not.toContain('serve')
})
