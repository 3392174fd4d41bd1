import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { writeHubFile } from '../../src/hub-file.ts'
import type { TestHub } from '../hub.ts'
import { ownProgram } from '../role-process.ts'

/** What a run of the program has left. */
interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The program `muster`, as it is built, as somebody runs it who has a folder of their own and a hub on this machine. */
export interface Muster extends AsyncDisposable {
  readonly home: string
  /** Runs it to its end. */
  run(words: readonly string[], options?: { readonly env?: NodeJS.ProcessEnv; readonly input?: string }): Promise<Ended>
  /** The same on a terminal, where standard output and standard error are one. Needs the program `script`. */
  onTerminal(words: readonly string[], input: string, env?: NodeJS.ProcessEnv): Promise<Ended>
  /** Runs it to its end, which must be a good one, and reads what it prints as JSON. */
  json(words: readonly string[]): Promise<unknown>
  /** Starts it. */
  start(words: readonly string[], env?: NodeJS.ProcessEnv): ChildProcessWithoutNullStreams
}

/** `hub` null: no hub runs on this machine. */
export async function openMuster(hub: TestHub | null): Promise<Muster> {
  const home = await mkdtemp(join(tmpdir(), 'muster-cli-'))
  if (hub !== null) await writeHubFile(home, hubFileOf(hub))
  const start = (words: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawn(process.execPath, [ownProgram, ...words], { env: environmentOf(home, env), stdio: 'pipe' })

  async function ending(child: ChildProcessWithoutNullStreams, input: string): Promise<Ended> {
    child.stdin.end(input)
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { code, stdout, stderr }
  }

  const run: Muster['run'] = (words, { env, input = '' } = {}) => ending(start(words, env), input)

  return {
    home,
    start,
    run,
    onTerminal(words, input, env = {}) {
      const line = [process.execPath, ownProgram, ...words].map((word) => `'${word}'`).join(' ')
      const options = { env: environmentOf(home, { TERM: 'xterm', ...env }) }
      return ending(spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], options), input)
    },
    async json(words) {
      const { code, stdout, stderr } = await run([...words, '-o', 'json'])
      if (code !== 0) throw new Error(`muster ${words.join(' ')} ended with ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  }
}

/** The rows of a table, each by its columns. Two spaces or more are between columns. */
export function rowsOf(table: string): readonly (readonly string[])[] {
  const lines = table.split('\n').filter((line) => line !== '')
  return lines.map((line) => line.trimEnd().split(/ {2,}/))
}

function environmentOf(home: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH } = process.env
  return { PATH, HOME: home, XDG_CONFIG_HOME: join(home, 'config'), MUSTER_DATA_DIR: home, ...env }
}

function hubFileOf({ httpPort, httpsPort, mqttsPort, connectionString }: TestHub): Parameters<typeof writeHubFile>[1] {
  return { pid: process.pid, hostname: 'localhost', httpPort, httpsPort, mqttsPort, connectionString, caFile: 'ca.pem' }
}
