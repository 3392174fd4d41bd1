import { isDeepStrictEqual } from 'node:util'
import { defaultPolicies, generateKey } from '@muster/auth'
import { answering, type Config, type ConfiguredPolicy, requiredUrl, StartError } from '@muster/runtime'
import {
  checkSchema,
  connect,
  type Db,
  ensurePolicies,
  migrate,
  putPolicy,
  readPolicies,
  type StoredPolicy,
} from '@muster/store'

type DatabaseConfig = Pick<Config, 'databaseUrl' | 'policies'>

/** What was missing in a database: names of migrations and of policies. */
interface Preparation {
  readonly migrations: readonly string[]
  readonly addedPolicies: readonly string[]
  readonly changedPolicies: readonly string[]
}

/**
 * Brings the schema up to date and stores the policies. It adds the missing ones of the five default policies. It stores the
 * configured ones; a stored policy keeps the keys that are not configured. Throws StartError.
 */
export async function prepareDatabase(config: DatabaseConfig): Promise<Preparation> {
  const url = requiredUrl('DATABASE_URL', config.databaseUrl)
  const migrations = await answering('Postgres', url, migrate(url))
  return withDatabase(config, async (db) => {
    const before = new Map((await readPolicies(db)).map((policy) => [policy.name, policy]))
    await ensurePolicies(db, defaultPolicies.map(withKeys))
    for (const policy of config.policies) await putPolicy(db, withKeys(policy), policy)
    const different = (await readPolicies(db)).filter((policy) => !isDeepStrictEqual(policy, before.get(policy.name)))
    const names = different.map(({ name }) => name)
    return {
      migrations,
      addedPolicies: names.filter((name) => !before.has(name)),
      changedPolicies: names.filter((name) => before.has(name)),
    }
  })
}

/** For the user: a line for each kind of thing that was done, or that there was nothing to do. */
export function describePreparation({ migrations, addedPolicies, changedPolicies }: Preparation): string {
  const policyLines = [...lineOf('policies added', addedPolicies), ...lineOf('policies changed', changedPolicies)]
  return [
    ...(migrations.length > 0 ? lineOf('migrations applied', migrations) : ['the schema is up to date']),
    ...(policyLines.length > 0 ? policyLines : ['the policies are up to date']),
  ].join('\n')
}

function lineOf(what: string, names: readonly string[]): readonly string[] {
  return names.length > 0 ? [`${what}: ${names.join(', ')}`] : []
}

/** A line for the user. Throws StartError when this version cannot work with the schema, or when Postgres does not answer. */
export async function checkDatabase(config: Pick<DatabaseConfig, 'databaseUrl'>): Promise<string> {
  const newer = await withDatabase(config, checkSchema)
  return newer === 0 ? 'the schema is up to date' : `the schema is newer by ${newer}, and this version can work with it`
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
