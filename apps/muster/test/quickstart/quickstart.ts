import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseConnectionString, signSasToken } from '@muster/auth'
import { removeDataDir } from '@muster/local-services'
import { z } from 'zod'
import type { TestHub } from '../hub.ts'

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

const hubFileSchema = z.object({
  httpPort: z.number(),
  httpsPort: z.number(),
  mqttsPort: z.number(),
  connectionString: z.string(),
  caFile: z.string(),
})

/** `muster quickstart --no-demo` in a process of its own, on stores of its own. Dispose removes its data, too. */
export interface Quickstart
  extends AsyncDisposable,
    Pick<TestHub, 'mqttsPort' | 'ca' | 'httpsPort' | 'connectionString'> {
  readonly dataDir: string
  /** A request to the service API in clear, as the owner unless another token is given. */
  request(method: string, path: string, body?: unknown, token?: string): Promise<Response>
  readonly environment: Readonly<Record<string, string>>
  /** What it has printed so far. */
  output(): string
  /** Resolves when it has printed this, now or before. */
  prints(text: string | RegExp): Promise<void>
  /** Ctrl-C. */
  stop(): Promise<void>
}

export async function startQuickstart(settings: Readonly<Record<string, string>> = {}): Promise<Quickstart> {
  const { PATH = '', HOME = '' } = process.env
  const dataDir = settings.MUSTER_DATA_DIR ?? join(tmpdir(), `muster-test-${randomUUID()}`)
  const ports = { MUSTER_HTTPS_PORT: '0', MUSTER_HTTP_PORT: '0', MUSTER_MQTTS_PORT: '0' }
  const environment = { PATH, HOME, MUSTER_DATA_DIR: dataDir, ...ports, ...settings }
  const child = spawn(process.execPath, [program, 'quickstart', '--no-demo'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const prints = (text: string | RegExp) => printing(child, text, () => output)
  await prints('Ctrl-C stops the hub')

  const hub = hubFileSchema.parse(JSON.parse(readFileSync(join(dataDir, 'hub.json'), 'utf8')))
  const authorization = authorize(hub.connectionString)
  return {
    dataDir,
    environment,
    ca: readFileSync(hub.caFile, 'utf8'),
    connectionString: hub.connectionString,
    httpsPort: hub.httpsPort,
    mqttsPort: hub.mqttsPort,
    output: () => output,
    prints,
    stop: () => ended(child, 'SIGINT'),
    request: (method, path, body, token = authorization) =>
      fetch(`http://127.0.0.1:${hub.httpPort}${path}?api-version=2021-04-12`, {
        method,
        headers: { authorization: token, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async [Symbol.asyncDispose]() {
      await ended(child, 'SIGINT')
      await removeDataDir(dataDir)
    },
  }
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Place {
  readonly environment: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** A command of the program, from whatever folder. */
export function runMuster(args: readonly string[], place: Place): Promise<Ended> {
  return startMuster(args, place).ended
}

/** The same while it runs. */
export function startMuster(
  args: readonly string[],
  { environment, cwd = tmpdir() }: Place,
): { readonly ended: Promise<Ended>; prints(text: string | RegExp): Promise<void> } {
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  return {
    ended: once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr })),
    prints: (text) => printing(child, text, () => stdout + stderr),
  }
}

function printing(child: ChildProcess, text: string | RegExp, output: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (typeof text === 'string' ? output().includes(text) : text.test(output())) resolve()
    }
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', look)
    child.once('close', () => reject(new Error(`it has ended: ${output()}`)))
    look()
  })
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}

function authorize(connectionString: string): string {
  const { hostName, sharedAccessKeyName = '', sharedAccessKey = '' } = parseConnectionString(connectionString)
  return signSasToken({
    resource: hostName,
    key: sharedAccessKey,
    policyName: sharedAccessKeyName,
    expiresAt: new Date(Date.now() + 3_600_000),
  })
}
