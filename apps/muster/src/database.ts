import { defaultPolicies, generateKey } from '@muster/auth'
import { answering, type Config, type ConfiguredPolicy, requiredUrl, StartError } from '@muster/runtime'
import { connect, type Db, ensurePolicies, migrate, putPolicy, readPolicies, type StoredPolicy } from '@muster/store'

type DatabaseConfig = Pick<Config, 'databaseUrl' | 'policies'>

/**
 * Brings the schema up to date and stores the policies. It adds the missing ones of the five default policies. It stores the
 * configured ones; a stored policy keeps the keys that are not configured. Throws StartError.
 */
export async function prepareDatabase(config: DatabaseConfig): Promise<void> {
  const url = requiredUrl('DATABASE_URL', config.databaseUrl)
  await answering('Postgres', url, migrate(url))
  await withDatabase(config, async (db) => {
    await ensurePolicies(db, defaultPolicies.map(withKeys))
    for (const policy of config.policies) await putPolicy(db, withKeys(policy), policy)
  })
}

/** Throws StartError when Postgres does not answer or there is no such policy. */
export async function findPolicy(config: DatabaseConfig, name: string): Promise<StoredPolicy> {
  return policyNamed(name, await listPolicies(config))
}

/** Throws StartError when Postgres does not answer. */
export function listPolicies(config: Pick<DatabaseConfig, 'databaseUrl'>): Promise<StoredPolicy[]> {
  return withDatabase(config, readPolicies)
}

/** Throws StartError when it is none of them. */
export function policyNamed(name: string, policies: readonly StoredPolicy[]): StoredPolicy {
  const policy = policies.find((candidate) => candidate.name === name)
  if (policy !== undefined) return policy
  throw new StartError(`there is no policy "${name}"; expected one of ${policies.map(({ name }) => name).join(', ')}`)
}

function withKeys({ name, permissions, primaryKey, secondaryKey }: ConfiguredPolicy): StoredPolicy {
  return {
    name,
    permissions,
    primaryKey: primaryKey ?? generateKey(),
    secondaryKey: secondaryKey ?? generateKey(),
  }
}

async function withDatabase<Result>(
  config: Pick<DatabaseConfig, 'databaseUrl'>,
  use: (db: Db) => Promise<Result>,
): Promise<Result> {
  const url = requiredUrl('DATABASE_URL', config.databaseUrl)
  const { db, close } = connect({ url, poolSize: 1 })
  return answering('Postgres', url, use(db)).finally(close)
}
