import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Role } from '@muster/runtime'
import { eventually } from '@muster/testkit'
import { requestTo, type TestHub } from './hub.ts'

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url))

/** A process of its own for one role of a hub, as it is built. Disposing it kills it. */
export interface RoleProcess extends AsyncDisposable {
  signal(signal: NodeJS.Signals): void
}

function startRole(hub: Pick<TestHub, 'environment'>, role: Role['name'], settings = {}): RoleProcess {
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [program, role], {
    env: { PATH, ...hub.environment, ...settings },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return {
    signal: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: () => killed(child),
  }
}

/** A gateway in a process of its own, that listens. */
export async function startGatewayProcess(
  hub: Pick<TestHub, 'environment'>,
): Promise<RoleProcess & { readonly mqttsPort: number }> {
  const mqttsPort = await freePort()
  const gateway = startRole(hub, 'gateway', { MUSTER_MQTTS_PORT: String(mqttsPort) })
  await eventually(() => reached(mqttsPort), { timeoutMs: 30_000 })
  return { ...gateway, mqttsPort }
}

/** An API in a process of its own, that listens, and a way to ask it. */
export async function startApiProcess(hub: TestHub): Promise<RoleProcess & Pick<TestHub, 'request'>> {
  const httpPort = await freePort()
  const api = startRole(hub, 'api', { MUSTER_HTTP_PORT: String(httpPort) })
  await eventually(() => reached(httpPort), { timeoutMs: 30_000 })
  return { ...api, request: requestTo(httpPort, hub.token) }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function reached(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect').finally(() => socket.destroy())
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port')
  return address.port
}
