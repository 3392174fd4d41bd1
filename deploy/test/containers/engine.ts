import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A Docker engine that answers, with its compose plugin. */
export interface Engine extends AsyncDisposable {
  /** The output of `docker ARGS`. Rejects with what it wrote to standard error. */
  docker(args: readonly string[], options?: RunOptions): Promise<string>
}

interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

/** The engine that Docker's own variables name, or the usual one. A string says why there is none. */
export async function findEngine(): Promise<Engine | string> {
  const docker = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], { encoding: 'utf8' })
  if (docker.error !== undefined) return 'there is no program docker on the PATH'
  if (docker.status !== 0) return `no Docker engine answers (${firstLine(docker.stderr)})`
  const compose = spawnSync(join(root, '.ci', 'compose-plugin'), { encoding: 'utf8' })
  if (compose.status !== 0) return `there is no compose plugin (${firstLine(compose.stderr)})`
  const config = await configWith(compose.stdout.trim())
  return {
    async docker(args, { cwd = root, env = {}, timeoutMs = 60_000 } = {}) {
      const options = {
        cwd,
        timeout: timeoutMs,
        maxBuffer: 64 * 1024 * 1024,
        env: { ...process.env, ...config.env, ...env },
      }
      return run('docker', args, options).then(
        ({ stdout }) => stdout,
        (cause) => {
          throw new Error(`docker ${args.join(' ')}: ${lastLines(cause.stderr || cause.message)}`, { cause })
        },
      )
    },
    [Symbol.asyncDispose]: config.remove,
  }
}

/** Docker looks for plugins in its folder of configuration. One of our own leaves that of the user as it is. */
async function configWith(plugin: string): Promise<{ env: Record<string, string>; remove: () => Promise<void> }> {
  if (existsSync(join(process.env.HOME ?? '/', '.docker', 'cli-plugins')) || !plugin.includes('muster')) {
    return { env: {}, remove: async () => {} }
  }
  const folder = await mkdtemp(join(tmpdir(), 'muster-docker-'))
  await symlink(join(plugin, '..'), join(folder, 'cli-plugins'))
  return { env: { DOCKER_CONFIG: folder }, remove: () => rm(folder, { recursive: true, force: true }) }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-15).join('\n')
}
