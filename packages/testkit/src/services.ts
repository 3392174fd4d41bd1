import { randomUUID } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalServicesError, removeDataDir, startLocalServices } from '@muster/local-services'
import type { TestProject } from 'vitest/node'
import { createDatabase, dropDatabases } from './database.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** An empty database whose user may create others. */
    readonly databaseUrl: string
    readonly redisUrl: string
  }
}

/**
 * Vitest's globalSetup: one Postgres and one Redis for a run of the tests, given by TEST_DATABASE_URL and TEST_REDIS_URL or
 * started; in Docker with MUSTER_TEST_PROVIDER=testcontainers. A given Postgres is left as it was found; a given Redis keeps
 * the few keys under each test's own prefix.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeAbandonedFolders()
  const { TEST_DATABASE_URL, TEST_REDIS_URL, MUSTER_TEST_PROVIDER } = process.env
  const dataDir = join(tmpdir(), `${folderPrefix}${randomUUID()}`)
  const services = await startLocalServices({
    databaseUrl: TEST_DATABASE_URL,
    redisUrl: TEST_REDIS_URL,
    dataDir,
    durable: false,
    provider: MUSTER_TEST_PROVIDER === 'testcontainers' ? 'testcontainers' : 'local',
  })
  const database = await createDatabase(services.databaseUrl)
  project.provide('databaseUrl', database.url)
  project.provide('redisUrl', services.redisUrl)

  return async () => {
    await dropDatabases(services.databaseUrl, database.url)
    await services[Symbol.asyncDispose]()
    await rm(dataDir, { recursive: true, force: true })
  }
}

export const folderPrefix = 'muster-test-'

/** A killed run could not remove its folder. A new folder has no owner yet, so young folders are left alone. */
async function removeAbandonedFolders(): Promise<void> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(folderPrefix))
  for (const name of names) {
    const folder = join(tmpdir(), name)
    // Another run may remove its folder at this moment.
    const found = await stat(folder).catch(() => null)
    if (found === null || Date.now() - found.mtimeMs < 60_000) continue
    await removeDataDir(folder).catch((cause) => {
      // It is in use, or belongs to somebody else.
      if (!(cause instanceof LocalServicesError)) throw cause
    })
  }
}
