import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { extractDebianProgram, findFreePort, findStoreUser } from '@muster/local-services'

interface PgBouncerProgram {
  readonly file: string
  readonly env: NodeJS.ProcessEnv | undefined
  /** 'PgBouncer 1.24.1' */
  readonly product: string
  /** It keeps the names of prepared statements, as versions from 1.21 do. */
  readonly keepsNames: boolean
}

/** The one on the PATH, else a private copy of Debian's package; or why there is none. */
export async function findPgBouncer(): Promise<PgBouncerProgram | { readonly absent: string }> {
  const installed = await pgBouncerAt('pgbouncer')
  if (installed !== null) return installed
  try {
    const program = { name: 'pgbouncer', package: 'pgbouncer', path: 'usr/sbin/pgbouncer' }
    const copy = await extractDebianProgram(program, await findStoreUser())
    if (copy === undefined) return { absent: 'no PgBouncer is on the PATH, and this system has no Debian packages' }
    return (await pgBouncerAt(copy.file, copy.env)) ?? { absent: `the copy of PgBouncer at ${copy.file} does not run` }
  } catch (error) {
    return { absent: `no PgBouncer is on the PATH, and no package could be had: ${error}` }
  }
}

async function pgBouncerAt(file: string, env?: NodeJS.ProcessEnv): Promise<PgBouncerProgram | null> {
  const output = await promisify(execFile)(file, ['--version'], { env }).catch(() => null)
  const [product, major, minor] = output?.stdout.match(/^PgBouncer (\d+)\.(\d+)\S*/) ?? []
  if (product === undefined) return null
  return { file, env, product, keepsNames: Number(major) > 1 || Number(minor) >= 21 }
}

/** A PgBouncer on a loopback port. Dispose ends it. */
export interface PgBouncer extends AsyncDisposable {
  readonly port: number
  /** As if its machine was gone. */
  kill(): Promise<void>
  /** Starts it again, on the same port. Resolves when it serves. */
  start(): Promise<void>
}

/** Lends sessions of the server of `databaseUrl` by transaction, each time another one. It knows no parameter of a start but its own. */
export async function startPgBouncer(program: PgBouncerProgram, databaseUrl: string): Promise<PgBouncer> {
  const user = await findStoreUser()
  const folder = await mkdtemp(join(tmpdir(), 'muster-pgbouncer-'))
  const file = join(folder, 'pgbouncer.ini')
  const port = await findFreePort()
  await writeFile(file, configuration(program, port, new URL(databaseUrl)), { mode: 0o600 })
  if (user !== undefined) for (const path of [folder, file]) await chown(path, user.uid, user.gid)

  let child: ChildProcess | null = null
  const start = async () => {
    child = spawn(program.file, [file], {
      env: program.env,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(user && { uid: user.uid, gid: user.gid }),
    })
    await serving(child)
  }
  const kill = async () => {
    if (child === null || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    child = null
  }
  await start()
  return {
    port,
    kill,
    start,
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(folder, { recursive: true })
    },
  }
}

function configuration({ keepsNames }: PgBouncerProgram, port: number, server: URL): string {
  return `
    [databases]
    * = host=${server.hostname} port=${server.port} user=${server.username} password=${server.password}
    [pgbouncer]
    listen_addr = 127.0.0.1
    listen_port = ${port}
    unix_socket_dir =
    auth_type = any
    pool_mode = transaction
    default_pool_size = 10
    server_round_robin = 1
    ${keepsNames ? 'max_prepared_statements = 100' : ''}
  `.replaceAll(/^ +/gm, '')
}

async function serving(child: ChildProcess): Promise<void> {
  let log = ''
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject).once('exit', () => reject(new Error(`PgBouncer has ended:\n${log}`)))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log += text
      if (log.includes('process up')) resolve()
    })
  })
}
