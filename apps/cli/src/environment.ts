import { homedir } from 'node:os'
import { join } from 'node:path'

/** What the commands use of their process. */
export interface Environment {
  /** A service connection string, as Azure's own command line reads it. */
  readonly connectionString: string | undefined
  /** The name of a context of the configuration file. */
  readonly context: string | undefined
  readonly configFile: string
  /** Where the hub of this machine writes how to reach it. */
  localHubFile(): Promise<string>
  readonly hasColour: boolean
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

/** `defaultDataDir` is asked for only when no other folder is named, because the answer loads the code that starts stores. */
export function readEnvironment(defaultDataDir: () => Promise<string>): Environment {
  const { stdin, stdout, stderr } = process
  const variable = (name: string) => process.env[name] || undefined
  const configHome = variable('XDG_CONFIG_HOME') ?? join(homedir(), '.config')
  return {
    connectionString: variable('IOTHUB_CONNECTION_STRING'),
    context: variable('MUSTER_CONTEXT'),
    configFile: join(configHome, 'muster', 'config.toml'),
    localHubFile: async () => join(variable('MUSTER_DATA_DIR') ?? (await defaultDataDir()), 'hub.json'),
    hasColour: stdout.isTTY === true && variable('NO_COLOR') === undefined && variable('TERM') !== 'dumb',
    stdin,
    stdout,
    stderr,
  }
}

/** Whoever reads our output may have had enough, as `head` does. That is no error. */
export function endQuietlyOnBrokenPipe(stdout: NodeJS.WriteStream): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })
}
