import type { Command } from 'commander'
import { addCommand, addOutputOptions } from './command/client-command.ts'
import { type Context, readConfig, writeConfig } from './connection/config-file.ts'
import type { Environment } from './environment.ts'
import { CommandError, exitCodes, usageError } from './failure.ts'
import type { View } from './output/format.ts'
import { createOutput, type OutputOptions } from './output/output.ts'

/** A context as it is shown: what may be a secret is not. */
interface Shown {
  readonly name: string
  readonly isCurrent: boolean
  readonly hub: string
  readonly policy: string | null
}

const view: View<Shown> = {
  nameOf: ({ name }) => name,
  columns: [
    { head: 'CONTEXT', of: ({ name }) => name },
    { head: 'CURRENT', of: ({ isCurrent }) => (isCurrent ? 'yes' : '') },
    { head: 'HUB', of: ({ hub }) => hub },
    { head: 'POLICY', of: ({ policy }) => policy },
  ],
}

interface SetOptions {
  readonly login?: string
  readonly url?: string
  readonly token?: string
}

/** `muster context`. */
export function addContextCommands(program: Command, environment: Environment): void {
  const group = program.command('context').description('names for hubs, in the configuration file of this user')
  addReaders(group, environment)
  addCommand(group, {
    usage: 'use <name>',
    description: 'make a context the current one',
    examples: ['muster context use prod'],
  }).action(async (name: string) => {
    const config = await readConfig(environment.configFile)
    requireContext(config.contexts, name, environment)
    await writeConfig(environment.configFile, { ...config, current: name })
  })
  addCommand(group, {
    usage: 'set <name>',
    description: 'create or replace a context; the first one becomes the current one',
    examples: [
      'muster context set prod --login "HostName=hub.example.com;SharedAccessKeyName=service;SharedAccessKey=..."',
      'muster context set lab --url https://hub.lab --token "$TOKEN"',
    ],
  })
    .option('-l, --login <connection-string>', 'the connection string of a service policy')
    .option('--url <url>', 'where the hub is, if its connection string does not say so')
    .option('--token <token>', 'a token of an issuer that the hub trusts, instead of a connection string')
    .action(async (name: string, options: SetOptions) => {
      const { current, contexts } = await readConfig(environment.configFile)
      const changed = new Map([...contexts, [name, contextOf(options)] as const])
      await writeConfig(environment.configFile, { current: current ?? name, contexts: changed })
    })
}

function addReaders(group: Command, environment: Environment): void {
  const list = { usage: 'list', description: 'list the contexts', examples: ['muster context list'] }
  addOutputOptions(addCommand(group, list)).action(async (options: OutputOptions) => {
    await createOutput(options, environment).list(view, await shownContexts(environment))
  })
  const show = {
    usage: 'show [name]',
    description: 'show a context, by default the current one; its key is not shown',
    examples: ['muster context show'],
  }
  addOutputOptions(addCommand(group, show)).action(async (name: string | undefined, options: OutputOptions) => {
    const contexts = await shownContexts(environment)
    const found = contexts.find((context) => (name === undefined ? context.isCurrent : context.name === name))
    if (found !== undefined) return createOutput(options, environment).item(view, found)
    throw notThere(name ?? null, environment)
  })
}

async function shownContexts({ configFile }: Environment): Promise<readonly Shown[]> {
  const { current, contexts } = await readConfig(configFile)
  return [...contexts].map(([name, context]) => ({ name, isCurrent: name === current, ...hubOf(context) }))
}

function hubOf({ connectionString = '', url }: Context): Pick<Shown, 'hub' | 'policy'> {
  const member = (name: string) => new RegExp(`(?:^|;)${name}=([^;]*)`).exec(connectionString)?.[1]
  return { hub: url ?? member('HostName') ?? '', policy: member('SharedAccessKeyName') ?? null }
}

function contextOf({ login, url, token }: SetOptions): Context {
  if (login === undefined && (url === undefined || token === undefined)) {
    throw usageError('a context needs --login, or --url and --token')
  }
  if (login !== undefined && token !== undefined) throw usageError('--login and --token exclude each other')
  return {
    ...(login === undefined ? {} : { connectionString: login }),
    ...(url === undefined ? {} : { url }),
    ...(token === undefined ? {} : { token }),
  }
}

function requireContext(contexts: ReadonlyMap<string, Context>, name: string, environment: Environment): void {
  if (!contexts.has(name)) throw notThere(name, environment)
}

function notThere(name: string | null, { configFile }: Environment): CommandError {
  const what = name === null ? 'no context is the current one' : `there is no context "${name}"`
  return new CommandError(`${what} in ${configFile}; "muster context set" makes one`, { exitCode: exitCodes.notFound })
}
