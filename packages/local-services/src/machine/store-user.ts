import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { LocalServicesError, reasonOf } from './error.ts'

const run = promisify(execFile)

/** The user of the operating system that runs the stores. */
export interface StoreUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * undefined: the stores run as our own user. If we are root, they cannot, because Postgres refuses root. Then it is the user of
 * Debian's Postgres package, made when missing.
 */
export async function findStoreUser(): Promise<StoreUser | undefined> {
  if (process.getuid?.() !== 0) return undefined

  const name = 'postgres'
  const existing = await lookUp(name)
  if (existing) return existing
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', name])
  } catch (cause) {
    throw new LocalServicesError(
      `Postgres refuses to run as root, and the user "${name}" could not be made (${reasonOf(cause)}): start as an ordinary user, or set DATABASE_URL and REDIS_URL`,
      { cause },
    )
  }
  return lookUp(name)
}

async function lookUp(name: string): Promise<StoreUser | undefined> {
  const ids = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, name]))).catch(() => undefined)
  const [uid, gid] = ids?.map(({ stdout }) => Number(stdout)) ?? []
  return uid === undefined || gid === undefined ? undefined : { name, uid, gid }
}
