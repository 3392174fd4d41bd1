import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process with its start time, because ids are used again, most often in containers. */
export interface OsProcess {
  readonly pid: number
  /** Clock ticks since boot on Linux, milliseconds since 1970 elsewhere. Only for comparison. */
  readonly startedAt: number
}

/** undefined: no such process, or only its zombie. */
export function findProcess(pid: number): OsProcess | undefined {
  const startedAt = process.platform === 'linux' ? startInProc(pid) : startInPs(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

export function isAlive({ pid, startedAt }: OsProcess): boolean {
  return findProcess(pid)?.startedAt === startedAt
}

/** Sends the signal, waits at most `graceMs`, then kills. Does nothing to a process that has already ended. */
export async function endProcess(target: OsProcess, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  send(target, signal)
  // A stopped process handles no signal but SIGKILL until it continues.
  send(target, 'SIGCONT')
  if (await hasEnded(target, graceMs)) return

  send(target, 'SIGKILL')
  await hasEnded(target, KILL_WAIT_MS)
}

// The kernel needs a moment to end a large process. A longer wait means that it hangs in the kernel, and nothing helps.
const KILL_WAIT_MS = 1_000
const POLL_MS = 10

function send(target: OsProcess, signal: NodeJS.Signals): void {
  if (!isAlive(target)) return
  try {
    process.kill(target.pid, signal)
  } catch (cause) {
    if (isAlive(target)) throw cause
  }
}

async function hasEnded(target: OsProcess, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (isAlive(target)) {
    if (performance.now() > deadline) return false
    await sleep(POLL_MS)
  }
  return true
}

/** proc(5): the name in parentheses may have any characters. After it come the state (field 3) and the start time (field 22). */
function startInProc(pid: number): number | undefined {
  const stat = readOrUndefined(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return fields[0] === undefined || fields[0] === 'Z' ? undefined : Number(fields[19])
}

function startInPs(pid: number): number | undefined {
  const line = readOrUndefined(() =>
    execFileSync('/bin/ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  const [state, ...start] = line?.trim().split(/\s+/) ?? []
  return state === undefined || state.startsWith('Z') ? undefined : Date.parse(start.join(' '))
}

function readOrUndefined(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
