import { isNull, sql } from 'drizzle-orm'
import { type Db, rows } from '../postgres/sql.ts'
import { d, type Identity, selectIdentities, toIdentity } from './identities.ts'

/** The first devices in device id order, at most `top`, without modules. */
export async function listDevices(db: Db, top: number): Promise<Identity[]> {
  const found = await selectIdentities(db).where(isNull(d.moduleOf)).orderBy(d.deviceId).limit(top)
  return found.map(toIdentity)
}

/** How many devices there are, without modules. */
export async function countDevices(db: Db): Promise<{ enabled: number; disabled: number }> {
  const [counted] = await rows<{ total: string; disabled: string }>(
    db,
    sql`
    select (select count(*) from devices where module_of is null) as total,
           (select count(*) from devices where module_of is null and status = 'disabled') as disabled`,
  )
  const { total = 0, disabled = 0 } = counted ?? {}
  return { enabled: Number(total) - Number(disabled), disabled: Number(disabled) }
}

/** How many devices are connected, without modules. */
export async function countConnectedDevices(db: Db): Promise<number> {
  const [counted] = await rows<{ count: string }>(
    db,
    sql`select count(*) from sessions where gateway_id is not null and strpos(device_id, '/') = 0`,
  )
  return Number(counted?.count ?? 0)
}
