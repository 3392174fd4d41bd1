import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Engine, root } from './engine.ts'

/** The hub of docker-compose.yml, in a project of its own with free ports. */
export interface Project extends AsyncDisposable {
  readonly name: string
  compose(args: readonly string[], options?: { timeoutMs?: number }): Promise<string>
  /** The names of the containers of a service that run. */
  containersOf(service: string): Promise<string[]>
  /** The port of this machine that leads to a port of a service. */
  portOf(service: string, port: number): Promise<number>
  /** A call of the service API through the balancer. */
  call(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }>
}

export function openProject(engine: Engine, override: object): Project {
  const name = `muster-test-${process.pid}`
  const folder = mkdtemp(join(tmpdir(), 'muster-compose-'))
  const overrideFile = folder.then(async (path) => {
    const file = join(path, 'override.json')
    await writeFile(file, JSON.stringify(override))
    return file
  })
  const ports = ['HTTPS_PORT', 'MQTTS_PORT', 'HTTP_PORT', 'PROMETHEUS_PORT', 'ALERTMANAGER_PORT', 'GRAFANA_PORT']
  const env = {
    ...Object.fromEntries(ports.map((port) => [port, '0'])),
    HUB_IMAGE: 'muster-test',
    MUSTER_HOSTNAME: 'localhost',
  }

  const compose: Project['compose'] = async (args, { timeoutMs = 600_000 } = {}) => {
    const files = ['--file', join(root, 'docker-compose.yml'), '--file', await overrideFile]
    return engine.docker(['compose', '--project-name', name, ...files, ...args], { env, timeoutMs })
  }
  const portOf: Project['portOf'] = async (service, port) => {
    const address = await compose(['port', service, String(port)])
    return Number(address.trim().split(':').at(-1))
  }
  let access: Promise<{ port: number; ca: string; token: string }> | undefined
  const openAccess = async () => {
    const [port, ca, token] = await Promise.all([
      portOf('balancer', 8443),
      compose(['exec', '-T', 'api', 'cat', '/var/lib/muster/tls/ca.pem']),
      compose(['exec', '-T', 'api', 'node', '/app/apps/muster/bin/muster.mjs', 'token']),
    ])
    return { port, ca, token: token.trim() }
  }

  return {
    name,
    compose,
    portOf,
    async containersOf(service) {
      const ids = await compose(['ps', '--quiet', service])
      return ids.split('\n').filter((id) => id !== '')
    },
    async call(method, path, body) {
      access ??= openAccess()
      return send({ ...(await access), method, path }, body)
    },
    async [Symbol.asyncDispose]() {
      await compose(['--profile', '*', 'down', '--volumes', '--remove-orphans'])
      await rm(await folder, { recursive: true, force: true })
    },
  }
}

/** Asks again every half second until the answer will do. Rejects with the last answer when it does not in time. */
export async function eventually<Answer>(
  ask: () => Promise<Answer>,
  isEnough: (answer: Answer) => boolean,
  { timeoutMs = 60_000 } = {},
): Promise<Answer> {
  const giveUpAt = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (isEnough(answer)) return answer
    if (performance.now() > giveUpAt) throw new Error(`still ${JSON.stringify(answer)} after ${timeoutMs} ms`)
    await sleep(500)
  }
}

function send(
  { port, ca, token, method, path }: { port: number; ca: string; token: string; method: string; path: string },
  body: object | undefined,
): Promise<{ status: number; body: unknown }> {
  const text = body === undefined ? '' : JSON.stringify(body)
  const headers = {
    authorization: token,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  }
  return new Promise((resolve, reject) => {
    // A connection for each call, so that the balancer chooses an api for each.
    const sent = request(
      { host: 'localhost', port, ca, agent: false, method, path, headers, timeout: 30_000 },
      async (response) => {
        try {
          const answer = Buffer.concat(await response.toArray()).toString()
          resolve({ status: response.statusCode ?? 0, body: answer === '' ? null : JSON.parse(answer) })
        } catch (cause) {
          reject(new Error(`${method} ${path} was not answered in JSON`, { cause }))
        }
      },
    )
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer in 30 s`)))
    sent.on('error', reject)
    sent.end(text)
  })
}
