import { type DeviceId, limits } from '@muster/contract'
import { eq, sql } from 'drizzle-orm'
import { type Db, rows } from '../postgres/sql.ts'
import { d, type Identity, type IdentityDraft, insertIdentities, selectIdentities, toIdentity } from './identities.ts'

/**
 * Creates a module of a device. The row of the device is locked meanwhile, so that no device gets too many modules, however many are
 * created at once.
 * @throws HubError ArgumentInvalid when a section of its twin is larger than its limit.
 */
export async function insertModule(
  db: Db,
  deviceId: DeviceId,
  draft: IdentityDraft,
  now: Date,
): Promise<'created' | 'noDevice' | 'exists' | 'tooMany'> {
  return db.transaction(async (tx) => {
    const [device] = await rows(tx, sql`select from devices where device_id = ${deviceId} for no key update`)
    if (device === undefined) return 'noDevice'

    // A separate statement, so that it sees modules that were created while this one waited for the lock.
    const [modules] = await rows<{ count: string; has_this: boolean }>(
      tx,
      sql`
      select count(*), coalesce(bool_or(device_id = ${draft.identity}), false) as has_this
        from devices
       where module_of = ${deviceId}`,
    )
    if (modules?.has_this) return 'exists'
    if (Number(modules?.count) >= limits.modulesPerDevice) return 'tooMany'
    await insertIdentities(tx, [draft], now)
    return 'created'
  })
}

/** The modules of a device in the order of their ids, or null when there is no such device. */
export async function listModules(db: Db, deviceId: DeviceId): Promise<Identity[] | null> {
  const found = await selectIdentities(db).where(eq(d.moduleOf, deviceId)).orderBy(d.deviceId)
  if (found.length > 0) return found.map(toIdentity)
  const [device] = await rows(db, sql`select from devices where device_id = ${deviceId}`)
  return device === undefined ? null : []
}
