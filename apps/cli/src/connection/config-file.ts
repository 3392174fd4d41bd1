import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CommandError } from '../failure.ts'

/** A hub that the user has given a name: a connection string, or a URL and a token. */
export interface Context {
  readonly connectionString?: string
  readonly url?: string
  readonly token?: string
}

/** What the configuration file says. */
export interface Config {
  /** The context that counts when none is named. */
  readonly current: string | null
  readonly contexts: ReadonlyMap<string, Context>
}

/** Empty when there is no file. @throws CommandError when it cannot be read or is not of this form */
export async function readConfig(path: string): Promise<Config> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return null
    throw new CommandError(`${path} cannot be read: ${cause.message}`, { cause })
  })
  if (text === null) return { current: null, contexts: new Map() }
  const { parse } = await import('smol-toml')
  try {
    return configOf(parse(text))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CommandError(`${path} is not a configuration of muster: ${reason}`, { cause })
  }
}

/** Only its owner may read the file, because it holds keys. It is replaced as a whole. */
export async function writeConfig(path: string, { current, contexts }: Config): Promise<void> {
  const { stringify } = await import('smol-toml')
  const tables = [...contexts].map(([name, { connectionString, url, token }]) => [
    name,
    {
      ...(connectionString === undefined ? {} : { connection_string: connectionString }),
      ...(url === undefined ? {} : { url }),
      ...(token === undefined ? {} : { token }),
    },
  ])
  const text = stringify({ ...(current === null ? {} : { current }), contexts: Object.fromEntries(tables) })
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(`${path}.new`, `${text}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

function configOf(file: object): Config {
  const current = textIn(file, 'current')
  const tables: unknown = Reflect.get(file, 'contexts') ?? {}
  if (!isTable(tables)) throw new TypeError('contexts must be a table')
  return { current, contexts: new Map(Object.entries(tables).map(([name, table]) => [name, contextOf(name, table)])) }
}

function contextOf(name: string, table: unknown): Context {
  if (!isTable(table)) throw new TypeError(`contexts.${name} must be a table`)
  const connectionString = textIn(table, 'connection_string')
  const url = textIn(table, 'url')
  const token = textIn(table, 'token')
  return {
    ...(connectionString === null ? {} : { connectionString }),
    ...(url === null ? {} : { url }),
    ...(token === null ? {} : { token }),
  }
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Its value is never in the message: it may be a key. */
function textIn(table: object, member: string): string | null {
  const value: unknown = Reflect.get(table, member)
  if (value === undefined) return null
  if (typeof value === 'string') return value
  throw new TypeError(`${member} must be a text`)
}
