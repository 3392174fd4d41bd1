import { policies } from '../postgres/schema.ts'
import type { Db } from '../postgres/sql.ts'

/** A shared access policy as it is stored. The store does not know the meaning of permissions. */
export interface StoredPolicy {
  readonly name: string
  readonly permissions: readonly string[]
  readonly primaryKey: string
  readonly secondaryKey: string
}

/** Inserts missing policies. An existing one keeps its keys and permissions. */
export async function ensurePolicies(db: Db, wanted: readonly StoredPolicy[]): Promise<void> {
  if (wanted.length === 0) return
  const values = wanted.map((policy) => ({ ...policy, permissions: [...policy.permissions] }))
  await db.insert(policies).values(values).onConflictDoNothing()
}

/** Inserts the policy if it is missing; else makes `changes` to the stored one. Undefined members stay. */
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
