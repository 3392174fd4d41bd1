import { policies } from '../postgres/schema.ts'
import type { Db } from '../postgres/sql.ts'

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

/** Inserts the policy if it is missing; else makes `changes` to the stored one, which keeps what is undefined there. */
export async function putPolicy(
  db: Db,
  policy: StoredPolicy,
  changes: {
    readonly permissions: readonly string[]
    readonly primaryKey?: string | undefined
    readonly secondaryKey?: string | undefined
  },
): Promise<void> {
  const { permissions, primaryKey, secondaryKey } = changes
  await db
    .insert(policies)
    .values({ ...policy, permissions: [...policy.permissions] })
    .onConflictDoUpdate({
      target: policies.name,
      set: {
        permissions: [...permissions],
        ...(primaryKey === undefined ? {} : { primaryKey }),
        ...(secondaryKey === undefined ? {} : { secondaryKey }),
      },
    })
}

export async function readPolicies(db: Db): Promise<StoredPolicy[]> {
  return db.select().from(policies).orderBy(policies.name)
}
