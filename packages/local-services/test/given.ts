import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { removeDataDir } from '../src/index.ts'
import { findProcess, type OsProcess } from '../src/machine/os-process.ts'

/** The name of a data folder that does not exist yet; dispose ends what uses it and removes it. */
export function givenDataDir(): AsyncDisposable & { path: string } {
  const path = join(tmpdir(), `muster-test-${randomUUID()}`)
  return { path, [Symbol.asyncDispose]: () => removeDataDir(path) }
}

/** Another process that has started local services on the folder. */
export async function givenOwner(dataDir: string): Promise<{ owner: ChildProcess; stores: OsProcess[] }> {
  const owner = spawnProgram(new URL('owner.ts', import.meta.url), dataDir)
  await once(owner.stdout, 'data')
  return { owner, stores: storesOf(dataDir) }
}

/** Runs a program of ours in a process of its own. */
export function spawnProgram(program: URL, ...args: string[]): ChildProcessByStdio<Writable, Readable, null> {
  const loader = createRequire(import.meta.url).resolve('tsx')
  const words = ['--import', loader, fileURLToPath(program), ...args]
  return spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] })
}

export async function killed(owner: ChildProcess): Promise<void> {
  owner.kill('SIGKILL')
  await once(owner, 'exit')
}

/** The processes that the owner of the folder has noted. */
export function storesOf(dataDir: string): OsProcess[] {
  const owners = join(dataDir, 'owners')
  const ids = readdirSync(owners).flatMap((name) => readFileSync(join(owners, name), 'utf8').match(/^\d+/gm) ?? [])
  return ids.flatMap((id) => findProcess(Number(id)) ?? [])
}

export async function query(databaseUrl: string, statement: string): Promise<unknown[]> {
  const sql = postgres(databaseUrl, { max: 1 })
  try {
    return [...(await sql.unsafe(statement))]
  } finally {
    await sql.end()
  }
}

/** What Redis answers to the inline commands, a line each. */
export async function askRedis(redisUrl: string, ...commands: string[]): Promise<string[]> {
  const { hostname, port } = new URL(redisUrl)
  const socket = connect(Number(port), hostname)
  socket.end([...commands, 'quit', ''].join('\r\n'))
  return (await text(socket)).trim().split('\r\n').slice(0, -1)
}

export function authOf(redisUrl: string): string {
  return `auth ${new URL(redisUrl).password}`
}
