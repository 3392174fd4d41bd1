import { parseCondition } from '@muster/query'
import { sql } from 'drizzle-orm'
import { type Db, rows, texts } from '../../postgres/sql.ts'
import { matchingDevices } from '../start/target-devices.ts'

/**
 * Which of these devices do not match the condition of a continuous job any more. One that is not registered is none: its attempt says what
 * became of it. Of another job, whose condition is null, there are none.
 */
export async function findLeavers(
  db: Db,
  { continuousCondition }: { readonly continuousCondition: string | null },
  deviceIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (continuousCondition === null || deviceIds.length === 0) return new Set()
  const found = await rows<{ device_id: string }>(
    db,
    sql`
    with staying as materialized (${matchingDevices(parseCondition(continuousCondition), deviceIds)})
    select device_id
      from twins
     where device_id = any(${texts(deviceIds)})
       and not exists (select from staying where staying.device_id = twins.device_id)`,
  )
  return new Set(found.map(({ device_id }) => device_id))
}
