import { readdir, readFile, readlink, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { endProcess, findProcess, type OsProcess } from '../machine/os-process.ts'
import { postmasterPidFile } from './postmaster-pid.ts'

/**
 * Removes two things of a killed Postgres that stop the next one. One is postmaster.pid: Postgres refuses to start while any process
 * has the id in it. The others are its processes that still run a statement, because they hold its shared memory. A process is ours if
 * our cluster is its working folder. On other systems than Linux the checks of Postgres itself must do.
 */
export async function clearWreck(cluster: string): Promise<void> {
  if (process.platform !== 'linux') return

  const folder = await realpath(cluster)
  const pid = Number((await postmasterPidFile(cluster))[0])
  if (pid && findProcess(pid)) {
    // A live server of this cluster is not the rest of a killed one. The next start reports it.
    if ((await folderOf(pid)) === folder) return
    await rm(join(cluster, 'postmaster.pid'), { force: true })
  }
  const orphans = await findOrphans(folder)
  await Promise.all(orphans.map((orphan) => endProcess(orphan, 'SIGQUIT', QUIT_GRACE_MS)))
}

/** SIGQUIT ends a Postgres process at once. */
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

/** undefined: it is gone, or we may not look at it. */
async function folderOf(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/cwd`).catch(() => undefined)
}

/** The working folder of a shell may be the cluster, too. */
async function isPostgres(pid: number): Promise<boolean> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
  return name.trim() === 'postgres'
}
