import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { LocalServicesError, reasonOf } from '../machine/error.ts'
import { makeStoreFolder } from '../machine/folders.ts'
import { findFreePort } from '../machine/free-port.ts'
import type { Store, StorePlace } from '../machine/store.ts'
import { startWatchedStore } from '../machine/watched-store.ts'
import { postmasterPidFile } from './postmaster-pid.ts'
import { findPostgres, type PostgresPrograms } from './programs.ts'
import { clearWreck } from './wreck.ts'

const SUPERUSER = 'muster'
const PASSWORD_FILE = 'muster.password'

/** A private Postgres on a free loopback port, with the cluster in the data folder, made when missing. */
export async function startPostgres(place: StorePlace): Promise<Store> {
  const programs = await findPostgres(place.user)
  const cluster = join(place.claim.dataDir, 'postgres')
  if (!existsSync(cluster)) await makeCluster(place, programs, cluster)

  const port = await findFreePort()
  const password = await readFile(join(cluster, PASSWORD_FILE), 'utf8')
  const running = await startWatchedStore(place, {
    name: 'Postgres',
    file: programs.postgres,
    args: ['-D', cluster, ...settingsFor(place, port).flatMap((setting) => ['-c', setting])],
    cwd: cluster,
    prepare: () => clearWreck(cluster),
    isReady: (store) => isReady(cluster, store.pid),
  })
  return {
    url: `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`,
    description: `Postgres ${programs.version} (private, data in ${cluster})`,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

/** For a hub with its roles in one process, or a test run, on a machine with few cores that has other things to do too. */
function settingsFor({ durable }: StorePlace, port: number): string[] {
  return [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'shared_buffers=256MB',
    // Fewer checkpoints while a job writes to every twin.
    'max_wal_size=2GB',
    // The statements of the hub are short: to compile one costs more than it saves.
    'jit=off',
    'timezone=UTC',
    'log_timezone=UTC',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ]
}

/**
 * It has a password although it listens only on loopback: without one every user of the machine would be superuser of this database,
 * and could run programs as its owner. It is made in another place and then moved, so that an interrupted one does not look whole.
 */
async function makeCluster({ claim, durable, user }: StorePlace, programs: PostgresPrograms, cluster: string) {
  const unfinished = `${cluster}.unfinished`
  const passwordFile = `${cluster}.password`
  await rm(unfinished, { recursive: true, force: true })
  await makeStoreFolder(unfinished, user)
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 })
  if (user) await chown(passwordFile, user.uid, user.gid)

  const options = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', ...(durable ? [] : ['--no-sync'])]
  await promisify(execFile)(
    programs.initdb,
    ['-D', unfinished, '-U', SUPERUSER, `--pwfile=${passwordFile}`, ...options],
    { cwd: unfinished, ...(user && { uid: user.uid, gid: user.gid }) },
  ).catch((cause) => {
    throw new LocalServicesError(`Postgres could not make a database in ${claim.dataDir} (${reasonOf(cause)})`, {
      cause,
    })
  })
  await rename(passwordFile, join(unfinished, PASSWORD_FILE))
  await rename(unfinished, cluster)
}

/** As pg_ctl does: the last line of postmaster.pid is the state of the server. The file of an earlier server has another id. */
async function isReady(cluster: string, pid: number): Promise<boolean> {
  const lines = await postmasterPidFile(cluster)
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
}
