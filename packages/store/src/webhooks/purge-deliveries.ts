import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'

/** Deletes deliveries that were accepted before `endedBefore`, at most `limit`. Returns how many. Dead ones stay as long as their job. */
export async function purgeDelivered(
  db: Db,
  { endedBefore, limit }: { readonly endedBefore: Date; readonly limit: number },
): Promise<number> {
  const deleted = await rows(
    db,
    sql`
    with old as (
      select job_key, webhook_key, event_no
        from webhook_deliveries
       where state = 'delivered'
         and ended_at < ${at(endedBefore)}
       order by ended_at
       limit ${limit}
         for update skip locked)
    delete from webhook_deliveries d
     using old
     where d.job_key = old.job_key and d.webhook_key = old.webhook_key and d.event_no = old.event_no
       and d.state = 'delivered'
    returning d.event_no`,
  )
  return deleted.length
}

/** Deletes deliveries of webhooks that are gone, at most `limit`. Returns how many. Leaps along an index from one webhook to the next. */
export async function purgeUnowned(db: Db, { limit }: { readonly limit: number }): Promise<number> {
  const deleted = await rows(
    db,
    sql`
    with recursive present as (
      select min(webhook_key) as webhook_key from webhook_deliveries
       union all
      select (select min(webhook_key) from webhook_deliveries d where d.webhook_key > present.webhook_key)
        from present
       where present.webhook_key is not null),
    unowned as (
      select d.job_key, d.webhook_key, d.event_no
        from webhook_deliveries d
       where d.webhook_key in (select webhook_key from present
                                where webhook_key not in (select webhook_key from webhooks))
       limit ${limit}
         for update skip locked)
    delete from webhook_deliveries d
     using unowned
     where d.job_key = unowned.job_key and d.webhook_key = unowned.webhook_key and d.event_no = unowned.event_no
    returning d.event_no`,
  )
  return deleted.length
}
