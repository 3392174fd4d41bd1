import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDir, makeFolder } from './folders.ts'
import { readOsRelease } from './os-release.ts'
import type { StoreUser } from './store-user.ts'

/** A program in a package of Debian. */
export interface DebianProgram {
  /** The name by which it is called. */
  readonly name: string
  readonly package: string
  /** Where the package has it. */
  readonly path: string
  /** A release of Debian that has the package. Absent: that of the system, whose libraries the program then uses. */
  readonly release?: string
}

/** Where a program is, and the environment in which it finds its libraries. */
export interface ExtractedProgram {
  readonly file: string
  readonly env: NodeJS.ProcessEnv
}

/**
 * A copy of the program's package of the system in the cache folder, which `user` may enter. It needs no root, and installs and starts
 * nothing. undefined on systems without apt. There is one copy per release of the system, because it uses the libraries of that release.
 */
export async function extractDebianProgram(
  program: DebianProgram,
  user: StoreUser | undefined,
): Promise<ExtractedProgram | undefined> {
  const { families, version } = await readOsRelease()
  if (!families.includes('debian')) return undefined

  const release = program.release === undefined ? '' : `-from-${program.release}`
  const folder = join(cacheDir(), `${program.package}-${families[0]}-${version}${release}`)
  if (!existsSync(folder)) {
    await makeFolder('cache', cacheDir(), user)
    await extractInto(folder, program)
  }
  const libraries = await readdir(join(folder, 'usr', 'lib')).catch(() => [])
  const path = libraries.map((name) => join(folder, 'usr', 'lib', name)).join(':')
  return { file: join(folder, program.name), env: { ...process.env, LD_LIBRARY_PATH: path } }
}

async function extractInto(folder: string, program: DebianProgram): Promise<void> {
  const work = `${folder}.${process.pid}`
  const root = join(work, 'root')
  try {
    await mkdir(root, { recursive: true })
    await extractWithLibraries(program, work, root)
    await symlink(program.path, join(root, program.name))
    await chmod(root, 0o755)
    // Fails when another start has made the same copy meanwhile. That copy is as good.
    await rename(root, folder).catch(() => undefined)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function extractWithLibraries(program: DebianProgram, work: string, root: string): Promise<void> {
  const { package: main, release } = program
  const packages = [main]
  const aptOptions =
    release === undefined ? await findPackageLists(main, work) : await fetchPackageLists(work, await sourceOf(release))
  for (const name of packages) {
    const folder = join(work, name)
    await mkdir(folder, { recursive: true })
    await run('apt-get', [...aptOptions, 'download', name], folder)
    const [file = ''] = await readdir(folder)
    await run('dpkg-deb', ['-x', file, root], folder)
    const libraries = await missingLibraries(join(folder, file))
    packages.push(...libraries.filter((library) => !packages.includes(library)))
  }
}

/** Options for apt. None when the package lists of the system can be used; else they name private lists, which are fetched. */
async function findPackageLists(main: string, work: string): Promise<string[]> {
  try {
    await run('apt-get', [...unsandboxed, 'download', main], work)
    return unsandboxed
  } catch {
    // The lists of the system are empty on a new machine, or older than the archive. Only root could renew them.
    return fetchPackageLists(work)
  }
}

const unsandboxed = ['-o', 'APT::Sandbox::User=root']

/** Options that name private lists: of the archives of the system, or of `source` alone. */
async function fetchPackageLists(work: string, source?: string): Promise<string[]> {
  const lists = join(work, 'lists')
  await mkdir(lists)
  const options = [...unsandboxed, '-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${join(work, 'cache')}`]
  if (source !== undefined) {
    const file = join(work, 'sources.list')
    await writeFile(file, source)
    options.push('-o', `Dir::Etc::SourceList=${file}`, '-o', 'Dir::Etc::SourceParts=-')
  }
  await run('apt-get', [...options, 'update'], work)
  return options
}

/** A line of sources.list(5) for another release, from the mirror that the system itself uses. */
async function sourceOf(release: string): Promise<string> {
  const folder = '/etc/apt/sources.list.d'
  const files = (await readdir(folder)).map((name) => join(folder, name)).concat('/etc/apt/sources.list')
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')))
  const [mirror] = texts.join('\n').match(/\bhttps?:\/\/\S+\/debian\/?(?=\s)/) ?? []
  if (mirror === undefined)
    throw new Error(`no mirror of Debian is among the sources of apt, to fetch a package of ${release}`)
  return `deb ${mirror} ${release} main\n`
}

async function missingLibraries(deb: string): Promise<string[]> {
  const depends = await run('dpkg-deb', ['-f', deb, 'Depends'], '/')
  const names = depends.split(',').map((dependency) => dependency.trim().split(/[\s:|(]/)[0] ?? '')
  const libraries = names.filter((name) => name.startsWith('lib'))
  const installed = await Promise.all(libraries.map(isInstalled))
  return libraries.filter((_, index) => !installed[index])
}

async function isInstalled(name: string): Promise<boolean> {
  const status = await run('dpkg-query', ['-s', name], '/').catch(() => '')
  return status.includes('Status: install ok installed')
}

const NETWORK_TIMEOUT_MS = 120_000

async function run(file: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await promisify(execFile)(file, args, { cwd, timeout: NETWORK_TIMEOUT_MS })
  return stdout
}
