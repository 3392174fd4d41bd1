import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { endProcess, findProcess, type OsProcess } from '../machine/os-process.ts'
import { postmasterPidFile } from './postmaster-pid.ts'

/**
 * Takes away what a killed Postgres leaves and the next one stumbles over: postmaster.pid, for it refuses to start while any
 * process has that id, whoever it is; and those of its processes that are still at a statement, for they hold its shared memory.
 * Ours is who has our cluster as its working folder. Elsewhere than on Linux Postgres' own checks must do.
 */
export async function clearWreck(cluster: string): Promise<void> {
  if (process.platform !== 'linux') return

  const folder = await realpath(cluster)
  const pid = Number((await postmasterPidFile(cluster))[0])
  if (pid && findProcess(pid)) {
    // A server of this cluster that lives is none of our wrecks: the start that follows says so.
    if ((await folderOf(pid)) === folder) return
    await rm(join(cluster, 'postmaster.pid'), { force: true })
  }
  const orphans = await findOrphans(folder)
  await Promise.all(orphans.map((orphan) => endProcess(orphan, 'SIGQUIT', QUIT_GRACE_MS)))
}

/** SIGQUIT ends a Postgres process where it stands. */
const QUIT_GRACE_MS = 1_000

async function findOrphans(folder: string): Promise<OsProcess[]> {
  const ids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const found = await Promise.all(
    ids.map(async (pid) =>
      (await folderOf(pid)) === folder && (await isPostgres(pid)) ? findProcess(pid) : undefined,
    ),
  )
  return found.filter((orphan) => orphan !== undefined)
}

/** undefined: it is gone, or not ours to look at. */
async function folderOf(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/cwd`).catch(() => undefined)
}

/** A shell may stand in the folder, too. */
async function isPostgres(pid: number): Promise<boolean> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
  return name.trim() === 'postgres'
}
