import { isDeepStrictEqual } from 'node:util'
import { type ConnectionString, parseConnectionString } from '@muster/auth/connection-string'
import { type Client, createClient } from '@muster/client'
import type { Environment } from '../environment.ts'
import { CommandError, exitCodes, usageError } from '../failure.ts'
import { type Context, readConfig } from './config-file.ts'
import { type LocalHub, readLocalHub } from './local-hub.ts'

export interface ConnectionOptions {
  /** A service connection string. */
  readonly login?: string
  readonly context?: string
}

/** A hub, who says so, and its name in connection strings of its devices. */
export interface Connection {
  readonly client: Client
  readonly hostName: string
  /** For the user: where the connection comes from. */
  readonly source: string
}

/**
 * The hub that the user means: that of `--login` or `--context`, of IOTHUB_CONNECTION_STRING, of MUSTER_CONTEXT, the current context
 * of the configuration file, or the hub that runs on this machine.
 * @throws CommandError when there is none
 */
export async function findConnection(options: ConnectionOptions, environment: Environment): Promise<Connection> {
  if (options.login !== undefined) return byConnectionString(options.login, '--login', environment)
  if (options.context !== undefined) return byName(options.context, '--context', environment)
  if (environment.connectionString !== undefined) {
    return byConnectionString(environment.connectionString, 'IOTHUB_CONNECTION_STRING', environment)
  }
  if (environment.context !== undefined) return byName(environment.context, 'MUSTER_CONTEXT', environment)
  const { current } = await readConfig(environment.configFile)
  if (current !== null) return byName(current, environment.configFile, environment)
  return toLocalHub(environment)
}

async function toLocalHub(environment: Environment): Promise<Connection> {
  const path = await environment.localHubFile()
  const hub = await readLocalHub(path)
  if (hub === null) {
    throw new CommandError(
      `no hub is known: start one on this machine with "muster all" (there is no ${path}), or name one by --login, IOTHUB_CONNECTION_STRING or "muster context set"`,
    )
  }
  return { client: createClient(hub), hostName: hub.hostName, source: path }
}

async function byConnectionString(text: string, source: string, environment: Environment): Promise<Connection> {
  const service = parsed(text, source)
  const local = await localHubOf(service, environment)
  const url = local === null ? {} : { url: local.url }
  return { client: created({ connectionString: text, ...url }, source), hostName: service.hostName, source }
}

/**
 * The hub of this machine may be on any port; its own connection string says none. Another hub may have the same name, such as localhost:
 * only the key tells them apart. A file that is damaged says nothing of the hub that is meant.
 */
async function localHubOf(service: ConnectionString, environment: Environment): Promise<LocalHub | null> {
  const local = await readLocalHub(await environment.localHubFile()).catch((error: unknown) => {
    if (error instanceof CommandError) return null
    throw error
  })
  return isDeepStrictEqual(local?.service, service) ? local : null
}

async function byName(name: string, source: string, environment: Environment): Promise<Connection> {
  const { contexts } = await readConfig(environment.configFile)
  const context = contexts.get(name)
  if (context === undefined) {
    const known = contexts.size === 0 ? 'there is none' : `expected one of ${[...contexts.keys()].join(', ')}`
    throw new CommandError(
      `${source} names the context "${name}", which ${environment.configFile} does not have: ${known}`,
      {
        exitCode: exitCodes.usage,
      },
    )
  }
  return byContext(context, `context ${name}`, environment)
}

async function byContext({ connectionString, url, token }: Context, source: string, environment: Environment) {
  if (connectionString !== undefined && url === undefined) {
    return byConnectionString(connectionString, source, environment)
  }
  if (connectionString !== undefined && url !== undefined) {
    const { hostName } = parsed(connectionString, source)
    return { client: created({ connectionString, url }, source), hostName, source }
  }
  if (url === undefined || token === undefined) {
    throw new CommandError(`${source} has neither a connection string nor a URL and a token`)
  }
  const client = created({ url, token }, source)
  return { client, hostName: client.url.hostname, source }
}

function created(options: Parameters<typeof createClient>[0], source: string): Client {
  try {
    return createClient(options)
  } catch (error) {
    throw usageError(`${source}: ${error instanceof Error ? error.message : error}`)
  }
}

function parsed(text: string, source: string): ConnectionString {
  try {
    return parseConnectionString(text)
  } catch (error) {
    throw usageError(`${source}: ${error instanceof Error ? error.message : error}`)
  }
}
