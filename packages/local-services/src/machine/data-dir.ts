import { appendFileSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { LocalServicesError } from './error.ts'
import { makeFolder, notWritable } from './folders.ts'
import { endProcess, findProcess, isAlive, type OsProcess } from './os-process.ts'
import type { StoreUser } from './store-user.ts'

/** The right to run stores in a data folder. Ends with dispose or with this process. */
export interface DataDirClaim extends AsyncDisposable {
  /** Absolute. */
  readonly dataDir: string
  /** Notes a store that the next owner must end if we are killed first. Written when it returns. */
  record(store: OsProcess): void
}

/** How long a store may take to write everything down. Postgres recovers from its log what it had no time for. */
export const STOP_GRACE_MS = 3_000

/**
 * Each owner has a file named after its process, listing its stores. A claim writes its own file first and looks for others
 * then, so of two at the same time at least one sees the other; files of dead owners can be removed by anyone, because a
 * process that lives never has that name. Postgres guards its files by itself, but nothing guards those of Redis.
 */
export async function claimDataDir(folder: string, guest?: StoreUser): Promise<DataDirClaim> {
  const dataDir = resolve(folder)
  const owners = join(dataDir, 'owners')
  await makeFolder('data', dataDir, guest)
  await makeFolder('data', owners)
  const self = ourselves()
  const file = join(owners, nameOf(self))
  await writeFile(file, '', { flag: 'wx', mode: 0o600 }).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'EEXIST' ? alreadyRunning(dataDir, self.pid) : notWritable('data', dataDir, cause)
  })

  try {
    await endDeadOwners(dataDir, owners, self)
  } catch (cause) {
    await rm(file, { force: true })
    throw cause
  }
  return {
    dataDir,
    record: (store) => appendFileSync(file, `${nameOf(store)}\n`),
    [Symbol.asyncDispose]: () => rm(file, { force: true }),
  }
}

/** Ends what a killed owner left running and deletes the folder. Throws LocalServicesError while its owner lives. */
export async function removeDataDir(dataDir: string): Promise<void> {
  await claimDataDir(dataDir)
  await rm(dataDir, { recursive: true, force: true })
}

async function endDeadOwners(dataDir: string, owners: string, self: OsProcess): Promise<void> {
  const others = (await readdir(owners)).filter((name) => name !== nameOf(self))
  const living = others.flatMap(processesIn).find(isAlive)
  if (living) throw alreadyRunning(dataDir, living.pid)

  for (const name of others) {
    const stores = processesIn(await readFile(join(owners, name), 'utf8'))
    for (const store of stores) await endProcess(store, 'SIGINT', STOP_GRACE_MS)
    await rm(join(owners, name), { force: true })
  }
}

function ourselves(): OsProcess {
  const self = findProcess(process.pid)
  if (!self) throw new LocalServicesError('processes cannot be inspected: is /proc mounted, or ps installed?')
  return self
}

function alreadyRunning(dataDir: string, pid: number): LocalServicesError {
  return new LocalServicesError(
    `already running, pid ${pid}, on the data folder ${dataDir}: stop that one, or give this one its own folder (MUSTER_DATA_DIR)`,
  )
}

function nameOf({ pid, startedAt }: OsProcess): string {
  return `${pid}-${startedAt}`
}

/** The reverse of nameOf, for each line; what is not one (a line cut off by a crash) is passed over. */
function processesIn(text: string): OsProcess[] {
  return [...text.matchAll(/^(\d+)-(\d+)$/gm)].map(([, pid, startedAt]) => ({
    pid: Number(pid),
    startedAt: Number(startedAt),
  }))
}
