import { policies } from './schema.ts'
import type { Db } from './sql.ts'

/** A shared access policy as it is kept. What its permissions mean is not known here. */
export interface StoredPolicy {
  readonly name: string
  readonly permissions: readonly string[]
  readonly primaryKey: string
  readonly secondaryKey: string
}

/** Inserts the policies that are missing. One that exists keeps its keys and its permissions. */
export async function ensurePolicies(db: Db, wanted: readonly StoredPolicy[]): Promise<void> {
  if (wanted.length === 0) return
  const values = wanted.map((policy) => ({ ...policy, permissions: [...policy.permissions] }))
  await db.insert(policies).values(values).onConflictDoNothing()
}

export async function readPolicies(db: Db): Promise<StoredPolicy[]> {
  return db.select().from(policies).orderBy(policies.name)
}
