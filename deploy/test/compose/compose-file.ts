import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface Service {
  readonly image: string
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean; readonly interval?: string }
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> }
  readonly restart?: string
  readonly ports?: readonly { readonly published: string; readonly target: number; readonly host_ip?: string }[]
  readonly deploy?: {
    readonly replicas?: number
    readonly resources?: { readonly limits?: { readonly memory?: string; readonly pids?: number } }
  }
  readonly volumes?: readonly {
    readonly type: string
    readonly source: string
    readonly target: string
    readonly read_only?: boolean
  }[]
  readonly networks?: Readonly<Record<string, unknown>>
  readonly cap_drop?: readonly string[]
  readonly read_only?: boolean
  readonly security_opt?: readonly string[]
  readonly stop_grace_period?: string
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
}

/** docker-compose.yml as Docker understands it: merged, with its defaults. It needs the plugin and no engine. */
export async function readComposeFile(env: Readonly<Record<string, string>> = {}): Promise<ComposeFile> {
  const plugin = await run(join(root, '.ci', 'compose-plugin'), { timeout: 120_000 })
  const args = ['--file', join(root, 'docker-compose.yml'), '--profile', '*', 'config', '--format', 'json']
  const { stdout } = await run(plugin.stdout.trim(), args, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  })
  return JSON.parse(stdout)
}
