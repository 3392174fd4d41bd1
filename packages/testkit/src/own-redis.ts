import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeDataDir, startLocalServices } from '@muster/local-services'
import { folderPrefix } from './services.ts'

/** A Redis of its own, for a test that makes it fail. Dispose ends it. */
export async function startOwnRedis(): Promise<AsyncDisposable & { readonly url: string }> {
  const dataDir = join(tmpdir(), `${folderPrefix}${randomUUID()}`)
  const services = await startLocalServices({ databaseUrl: 'postgres://not.used', dataDir, durable: false })
  return {
    url: services.redisUrl,
    [Symbol.asyncDispose]: async () => {
      await services[Symbol.asyncDispose]()
      await removeDataDir(dataDir)
    },
  }
}
