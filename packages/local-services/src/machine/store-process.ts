import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { STOP_GRACE_MS } from './data-dir.ts'
import { LocalServicesError, reasonOf } from './error.ts'
import { endProcess, findProcess, isAlive, type OsProcess } from './os-process.ts'
import type { StoreName, StorePlace } from './store.ts'

export interface StoreCommand {
  readonly name: StoreName
  readonly file: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv | undefined
  /** The folder of the store, which its user can certainly enter. */
  readonly cwd: string
  /** Standard input. A command line would not do for secrets: every user of the machine can read it. */
  readonly input?: string
  /** Runs before each start: prepares the store, and removes the remains of a crash. */
  prepare(): Promise<void>
  isReady(store: OsProcess, log: string): Promise<boolean> | boolean
}

export interface StoreProcess extends AsyncDisposable {
  /** Resolves when it has ended, for any reason, with the way it ended: 'SIGKILL', 'exit code 1'. */
  readonly ended: Promise<string>
}

/** The log of a process may say why it ended. Kept beside that of the next one. */
export async function keepLog(place: StorePlace, command: StoreCommand): Promise<void> {
  const logFile = logFileOf(place, command)
  await rename(logFile, `${logFile}.1`).catch(() => undefined)
}

function logFileOf({ claim }: StorePlace, { name }: StoreCommand): string {
  return join(claim.dataDir, `${name.toLowerCase()}.log`)
}

/**
 * Runs the store until dispose, until our exit, or (on Linux) until we are killed. Resolves when it is ready. When the signal aborts
 * before that, it ends the store and rejects.
 */
export async function startStoreProcess(
  place: StorePlace,
  command: StoreCommand,
  signal: AbortSignal,
): Promise<StoreProcess> {
  await command.prepare()
  const logFile = logFileOf(place, command)
  const { child, ended } = await spawnStore(place, command, logFile)
  const store = child.pid === undefined ? undefined : findProcess(child.pid)
  if (!store) throw await didNotStart(command, logFile)

  // SIGINT is the fast shutdown of Postgres, and for Redis the same as SIGTERM.
  const endAtExit = () => child.kill('SIGINT')
  process.once('exit', endAtExit)
  child.once('exit', () => process.off('exit', endAtExit))
  const end = () => endProcess(store, 'SIGINT', STOP_GRACE_MS)

  try {
    place.claim.record(store)
    if (!(await becomesReady(command, { store, logFile, signal }))) throw await didNotStart(command, logFile)
  } catch (error) {
    await end()
    throw error
  }
  return { ended, [Symbol.asyncDispose]: end }
}

interface SpawnedStore {
  readonly child: ChildProcess
  readonly ended: Promise<string>
}

async function spawnStore({ user }: StorePlace, command: StoreCommand, logFile: string): Promise<SpawnedStore> {
  const [file = command.file, ...args] = [...(await deathBond()), command.file, ...command.args]
  const log = openSync(logFile, 'w', 0o600)
  try {
    const child = spawn(file, args, {
      cwd: command.cwd,
      env: command.env ?? process.env,
      stdio: [command.input === undefined ? 'ignore' : 'pipe', log, log],
      // In another process group, because Ctrl-C must not end the stores while the hub still uses them.
      detached: true,
      ...(user && { uid: user.uid, gid: user.gid }),
    })
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
    await once(child, 'spawn')
    child.unref()
    // If it ends before it has read everything, its log says why.
    child.stdin?.on('error', () => {}).end(command.input)
    return { child, ended }
  } catch (cause) {
    throw new LocalServicesError(`${command.name} did not start (${reasonOf(cause)})`, { cause })
  } finally {
    closeSync(log)
  }
}

/** A prefix that makes the kernel send SIGINT to the store when we die, also by SIGKILL. Empty where the system has none. */
async function deathBond(): Promise<string[]> {
  const options = ['--pdeathsig', 'INT', '--']
  return promisify(execFile)('setpriv', [...options, 'true']).then(
    () => ['setpriv', ...options],
    () => [],
  )
}

// After a crash Postgres replays up to max_wal_size before it answers.
const READY_WITHIN_MS = 120_000
const POLL_MS = 10

async function becomesReady(
  command: StoreCommand,
  { store, logFile, signal }: { store: OsProcess; logFile: string; signal: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + READY_WITHIN_MS
  while (isAlive(store) && !signal.aborted && performance.now() < deadline) {
    if (await command.isReady(store, await readFile(logFile, 'utf8'))) return true
    await sleep(POLL_MS)
  }
  return false
}

async function didNotStart({ name }: StoreCommand, logFile: string): Promise<LocalServicesError> {
  const lines = (await readFile(logFile, 'utf8')).split('\n').filter((line) => line.trim() !== '')
  const reason = lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1) ?? 'it wrote no reason'
  return new LocalServicesError(`${name} did not start: ${reason.trim()} (see ${logFile})`)
}
