import { type SQL, sql } from 'drizzle-orm'
import { at } from '../postgres/sql.ts'

/** So many tries of a chunk or a start, and what fails each time is given up. That takes about three minutes. */
export const mostTries = 10

/** When the next try may come after so many failed ones: after 1 s at first, twice as long each time, 60 s at most, half of it at random. */
export function nextTry(failed: SQL, now: Date): SQL {
  return sql`${at(now)} + least(60, 2 ^ (${failed} - 1)) * (0.5 + random() / 2) * interval '1 second'`
}

/** Whether the time of the next try has come. */
export function mayTry(notBefore: SQL, now: Date): SQL {
  return sql`(${notBefore} is null or ${notBefore} <= ${at(now)})`
}
