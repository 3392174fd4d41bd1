import { formatConnectionString, parseConnectionString, signSasToken } from '@muster/auth'
import { type Config, StartError } from '@muster/runtime'
import { readHubFile } from '@muster/simulator'
import { findPolicy } from './database.ts'
import { hubFilePath } from './hub-file.ts'

/** A token for the service API, good for so long. Throws StartError, see `findKey`. */
export async function makeToken(config: Config, policyName: string, ttlSeconds: number): Promise<string> {
  return signSasToken({
    resource: hubName(config),
    key: await findKey(config, policyName),
    policyName,
    expiresAt: new Date(Date.now() + ttlSeconds * 1000),
  })
}

/** What the service SDKs connect with. Throws StartError, see `findKey`. */
export async function makeConnectionString(config: Config, policyName: string): Promise<string> {
  return formatConnectionString({
    hostName: hubName(config),
    sharedAccessKeyName: policyName,
    sharedAccessKey: await findKey(config, policyName),
  })
}

/** From the database when DATABASE_URL is set, else from the hub that runs on this machine, which tells one key only. */
async function findKey(config: Config, policyName: string): Promise<string> {
  if (config.databaseUrl !== null) return (await findPolicy(config, policyName)).primaryKey

  const path = hubFilePath(config.dataDir)
  const hub = await readHubFile(path)
  if (hub === null)
    throw new StartError(`DATABASE_URL is not set and no hub runs on this machine (there is no ${path})`)
  const { sharedAccessKeyName, sharedAccessKey } = parseConnectionString(hub.connectionString)
  if (sharedAccessKeyName === policyName && sharedAccessKey !== undefined) return sharedAccessKey
  throw new StartError(
    `the hub on this machine tells the key of ${sharedAccessKeyName} only; set DATABASE_URL for others`,
  )
}

function hubName({ hostNames }: Config): string {
  return hostNames[0] ?? 'localhost'
}
