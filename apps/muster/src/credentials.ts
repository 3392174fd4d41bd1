import { formatConnectionString, parseConnectionString, signSasToken } from '@muster/auth'
import { type Config, StartError } from '@muster/runtime'
import { findPolicy, listPolicies, policyNamed } from './database.ts'
import { hubFilePath, readHubFile } from './hub-file.ts'

/** A token for the service API, valid for so long. Throws StartError, see `findCredentials`. */
export async function makeToken(config: Config, policyName: string, ttlSeconds: number): Promise<string> {
  const { hostName, key } = await findCredentials(config, policyName)
  return signSasToken({
    resource: hostName,
    key,
    policyName,
    expiresAt: new Date(Date.now() + ttlSeconds * 1000),
  })
}

/** The connection string for the service SDKs. Throws StartError, see `findCredentials`. */
export async function makeConnectionString(config: Config, policyName: string): Promise<string> {
  const { hostName, key } = await findCredentials(config, policyName)
  return formatConnectionString({ hostName, sharedAccessKeyName: policyName, sharedAccessKey: key })
}

/**
 * The key of a policy, and the name of the hub that accepts it. When DATABASE_URL is set, it is the configured hub; else the hub that
 * runs on this machine. If that hub was given its database, it tells only one key.
 */
async function findCredentials(config: Config, policyName: string): Promise<{ hostName: string; key: string }> {
  if (config.databaseUrl !== null) {
    return { hostName: config.hostNames[0] ?? 'localhost', key: (await findPolicy(config, policyName)).primaryKey }
  }

  const path = hubFilePath(config.dataDir)
  const hub = await readHubFile(config.dataDir)
  if (hub === null)
    throw new StartError(`DATABASE_URL is not set and no hub runs on this machine (there is no ${path})`)
  const { hostName, sharedAccessKeyName, sharedAccessKey } = parseConnectionString(hub.connectionString)
  if (hub.databaseUrl !== undefined) {
    const policies = await listPolicies({ databaseUrl: hub.databaseUrl }).catch((cause) => {
      throw new StartError(`the hub of ${path} does not answer (${cause.message}): start it again`, { cause })
    })
    return { hostName, key: policyNamed(policyName, policies).primaryKey }
  }
  if (sharedAccessKeyName === policyName && sharedAccessKey !== undefined) return { hostName, key: sharedAccessKey }
  throw new StartError(
    `on this machine only the key of ${sharedAccessKeyName} is known; set DATABASE_URL for other policies`,
  )
}
