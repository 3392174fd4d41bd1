import { readFile } from 'node:fs/promises'
import { type ConnectionString, parseConnectionString } from '@muster/auth/connection-string'
import { CommandError } from '../failure.ts'

/** How to reach the hub that runs on this machine. */
export interface LocalHub {
  readonly connectionString: string
  /** What it says. */
  readonly service: ConnectionString
  readonly hostName: string
  /** In clear, on the loopback address: its certificate is of its own CA, which `fetch` cannot be given. */
  readonly url: string
}

/** Null when there is no such file: no hub runs here. @throws CommandError when it is not one that a hub writes */
export async function readLocalHub(path: string): Promise<LocalHub | null> {
  try {
    const { connectionString, httpPort, hostname }: Record<string, unknown> = JSON.parse(await readFile(path, 'utf8'))
    if (typeof connectionString !== 'string' || typeof httpPort !== 'number' || typeof hostname !== 'string') {
      throw new TypeError('it lacks connectionString, httpPort or hostname')
    }
    const service = parseConnectionString(connectionString)
    return { connectionString, service, hostName: hostname, url: `http://127.0.0.1:${httpPort}` }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new CommandError(`${path} does not describe a running hub: start the hub again`, { cause })
  }
}
