import { sql } from 'drizzle-orm'
import { type Db, rows } from '../postgres/sql.ts'

/** The name of this hub in the ids of its events: 8 hexadecimal digits, the same for ever. */
export async function readHubId(db: Db): Promise<string> {
  const [row] = await rows<{ hub_id: string }>(db, sql`select hub_id from hub`)
  if (row === undefined) throw new TypeError('a migration gives every hub its name')
  return row.hub_id
}
