import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { LocalServicesError, reasonOf } from './error.ts'
import type { StoreUser } from './store-user.ts'

const run = promisify(execFile)

type Purpose = 'data' | 'cache'

/** The folder of the hub of this user. For root it is not below /root, because the stores run as another user, who must enter it. */
export function defaultDataDir(): string {
  if (process.getuid?.() === 0) return '/var/lib/muster'
  return join(process.env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'muster')
}

/**
 * The cache: copies of programs. For root it is not below /var/tmp, where any user could put a program for us to run.
 */
export function cacheDir(): string {
  if (process.getuid?.() === 0) return '/var/cache/muster'
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'muster')
}

/** Makes the folder with its parents when missing. Only we may look inside; `guest` may pass through it. */
export async function makeFolder(purpose: Purpose, path: string, guest?: StoreUser): Promise<void> {
  try {
    const made = await makePath(path, guest ? 0o711 : 0o700)
    // The umask reduces the mode of mkdir.
    if (made && guest) await chmod(path, 0o711)
  } catch (cause) {
    throw notWritable(purpose, path, cause)
  }
  if (guest && !(await canEnter(guest, path))) {
    throw new LocalServicesError(
      `${purpose} folder ${path} cannot be entered by the user "${guest.name}", which runs the stores because Postgres refuses root: ${chooseAnother(purpose)}`,
    )
  }
}

/** False: the folder was there. The recursion of mkdir never ends below /proc, so it is for existing folders only. */
async function makePath(path: string, mode: number): Promise<boolean> {
  if (!existsSync(dirname(path))) await makePath(dirname(path), mode)
  try {
    await mkdir(path, { mode })
    return true
  } catch (error) {
    if (!existsSync(path)) throw error
    await mkdir(path, { recursive: true })
    return false
  }
}

/** Makes an empty folder that belongs to the store's user alone, as Postgres demands. */
export async function makeStoreFolder(path: string, owner: StoreUser | undefined): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  if (owner) await chown(path, owner.uid, owner.gid)
}

export function notWritable(purpose: Purpose, path: string, cause: unknown): LocalServicesError {
  const message = `${purpose} folder ${path} cannot be written (${reasonOf(cause)}): ${chooseAnother(purpose)}`
  return new LocalServicesError(message, { cause })
}

function chooseAnother(purpose: Purpose): string {
  return `choose another folder with ${purpose === 'data' ? 'MUSTER_DATA_DIR' : 'XDG_CACHE_HOME'}`
}

/** Asks the kernel, because mode bits do not show access lists. */
async function canEnter({ uid, gid }: StoreUser, path: string): Promise<boolean> {
  return run('test', ['-x', path], { uid, gid, cwd: '/' }).then(
    () => true,
    () => false,
  )
}
