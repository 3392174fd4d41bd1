import { sql } from 'drizzle-orm'
import { type Db, rows } from './sql.ts'

/**
 * Analyzes up to `limit` tables that have doubled since Postgres last counted their pages. Returns how many. Postgres does so too, but
 * up to a minute later. Until then it keeps the plans that it made for the small table, and a job of a million devices runs with them.
 * A table below 20 pages is fast with any plan. Only an owner of a table may analyze it.
 */
export async function analyzeGrownTables(db: Db, { limit }: { limit: number }): Promise<number> {
  const grown = await rows<{ name: string }>(
    db,
    sql`
    select oid::regclass::text as name
      from pg_class
     where relnamespace = current_schema()::regnamespace
       and relkind = 'r'
       and pg_has_role(relowner, 'usage')
       and pg_relation_size(oid) / current_setting('block_size')::int > 2 * greatest(relpages, 10)
     limit ${limit}`,
  )
  // A table that another dispatcher analyzes just now is left to it. Its name comes from the catalog, which has quoted it.
  for (const { name } of grown) await db.execute(sql.raw(`analyze (skip_locked) ${name}`))
  return grown.length
}
