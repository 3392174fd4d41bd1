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
  /** Notes a store that the next owner must end if we are killed first. It is on the disk when this returns. */
  record(store: OsProcess): void
}

/** How long a store may take to write its data. Postgres recovers the rest from its log. */
export const STOP_GRACE_MS = 3_000

/**
 * Each owner has a file with the name of its process, which lists its stores. A claim first writes its own file and then looks for
 * others, so of two claims at the same time at least one sees the other. Anybody may remove the files of dead owners, because no live
 * process has that name. Postgres guards its own files, but nothing guards those of Redis.
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

/** Ends the stores of a killed owner and deletes the folder. Throws LocalServicesError while its owner lives. */
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

/** The reverse of nameOf, for each line. A line that a crash has cut is skipped. */
function processesIn(text: string): OsProcess[] {
  return [...text.matchAll(/^(\d+)-(\d+)$/gm)].map(([, pid, startedAt]) => ({
    pid: Number(pid),
    startedAt: Number(startedAt),
  }))
}
