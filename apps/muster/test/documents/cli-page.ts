import { exitCodes } from '@muster/cli'
import type { Command } from 'commander'
import { table } from './table.ts'

const meanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  done: 'done',
  failed: 'an error that is none of the others; one line on standard error says which',
  usage: 'the command line is wrong',
  notFound: 'the job, device, schedule or webhook is not there',
  refused: 'the hub refuses the caller',
  endedWithFailures: 'the job has ended, and not on all devices well',
  cancelled: 'the job was cancelled',
  waitTimedOut: 'the time to wait is over, and the job goes on',
  interrupted: 'Ctrl-C',
}

/** docs/cli.md. */
export function cliPage(program: Command): string {
  const commands = leavesOf(program, program.name())
  const codes = Object.entries(exitCodes).map(([name, code]) => [String(code), meaningOf(name)])
  return `# The command line

This page is made from the program. \`npm run docs\` writes it, and a test compares them.

A command that calls a hub finds it in this order: \`--login\` or \`--context\`; \`IOTHUB_CONNECTION_STRING\`; \`MUSTER_CONTEXT\`; the current
context of \`~/.config/muster/config.toml\` (\`XDG_CONFIG_HOME\`); the hub that runs on this machine. That one is called in clear on the
loopback address. For another one whose certificate is of its own CA, set \`NODE_EXTRA_CA_CERTS\` to the file with the CA.

Results go to standard output in the format of \`-o\`, and everything else to standard error. \`--query\` is a
[JMESPath](https://jmespath.org) expression over what \`-o json\` prints. \`NO_COLOR\` takes the colours away.

Scripts of Azure's command line run behind \`muster iot hub\`: \`az iot hub job create ...\` is \`muster iot hub job create ...\`, with the same
options and JSON. Commands that read JSON take the text, the path of a file, or \`-\` for standard input.

${table(['exit code', 'meaning'], codes)}

${commands.map(([name]) => `- [\`${name}\`](#${name.replaceAll(' ', '-')})`).join('\n')}

${commands.map(([name, command]) => `## ${name}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``).join('\n\n')}
`
}

function meaningOf(name: string): string {
  return Object.entries(meanings).find(([key]) => key === name)?.[1] ?? ''
}

/** The commands that do something, in the order of the help. */
export function leavesOf(command: Command, name: string): readonly (readonly [name: string, command: Command])[] {
  const visible = command.createHelp().visibleCommands(command)
  const inner = visible.filter((child) => child.name() !== 'help')
  if (inner.length === 0) return [[name, command]]
  return inner.flatMap((child) => leavesOf(child, `${name} ${child.name()}`))
}

const helpWidth = 110

/** What `--help` prints, with the examples. */
export function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => {
      text += part
    },
    getOutHelpWidth: () => helpWidth,
    getOutHasColors: () => false,
  })
  command.outputHelp()
  return text.trim()
}
