import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Role, RunningHub } from '@muster/runtime'
import { requestTo, type TestHub } from './hub.ts'

/** The program as it is built here. */
export const ownProgram = fileURLToPath(new URL('../dist/main.js', import.meta.url))

/** A process of its own for roles of a hub, as it is built. Disposing it kills it. */
export interface RoleProcess extends AsyncDisposable {
  readonly ports: RunningHub['ports']
  /** Resolves with its exit code; null after a signal. */
  readonly ended: Promise<number | null>
  /** What it has logged so far. */
  log(): string
  signal(signal: NodeJS.Signals): void
}

/** Resolves when it serves. `nodeOptions` stand before the program, which may be that of another build. */
export async function startProcess(
  hub: Pick<TestHub, 'environment'>,
  roles: readonly Role['name'][],
  {
    settings = {},
    nodeOptions = [],
    program = ownProgram,
  }: { settings?: NodeJS.ProcessEnv; nodeOptions?: readonly string[]; program?: string } = {},
): Promise<RoleProcess> {
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [...nodeOptions, program, ...roles], {
    env: { PATH, ...hub.environment, MUSTER_LOG_LEVEL: 'info', ...settings },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const ended = once(child, 'exit').then(([code]): number | null => code)
  let log = ''
  const ports = await new Promise<RunningHub['ports']>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
      const started = log.split('\n').find((line) => line.includes('"event":"hubStarted"') && line.endsWith('}'))
      if (started !== undefined) resolve(JSON.parse(started))
    })
    void ended.then(() => reject(new Error(`the process has ended:\n${log}`)))
  })
  return {
    ports,
    ended,
    log: () => log,
    signal: (signal) => void child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** A gateway in a process of its own. */
export async function startGatewayProcess(
  hub: Pick<TestHub, 'environment'>,
): Promise<RoleProcess & { readonly mqttsPort: number }> {
  const gateway = await startProcess(hub, ['gateway'])
  return { ...gateway, mqttsPort: gateway.ports.mqtts ?? 0 }
}

/** An API in a process of its own, and a way to ask it. */
export async function startApiProcess(hub: TestHub): Promise<RoleProcess & Pick<TestHub, 'request'>> {
  const api = await startProcess(hub, ['api'])
  return { ...api, request: requestTo(api.ports.http, hub.token) }
}
