import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { LocalServicesError, reasonOf } from './error.ts'

const run = promisify(execFile)

/** The operating system's user as whom the stores run. */
export interface StoreUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * undefined: the stores run as ourselves. As root they cannot, because Postgres refuses root: then it is the user that
 * Debian's own Postgres package uses too, made when missing.
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
