import { sql } from 'drizzle-orm'
import { type Db, rows } from './sql.ts'

/** A reading of Postgres' clock, between two times of `performance.now()`. All are in ms. */
export interface ClockReading {
  readonly sentMs: number
  readonly receivedMs: number
  readonly hubMs: number
}

/** Reads Postgres' clock. The wait for a connection, and for its transaction, is not part of the round trip. */
export function readClock(db: Db): Promise<ClockReading> {
  return db.transaction(
    async (tx) => {
      const sentMs = performance.now()
      const [found] = await rows<{ ms: string }>(tx, sql`select extract(epoch from clock_timestamp()) * 1000 as ms`)
      return { sentMs, receivedMs: performance.now(), hubMs: Number(found?.ms) }
    },
    { accessMode: 'read only' },
  )
}
