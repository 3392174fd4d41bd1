import type { JobEvent } from '@muster/contract'
import { type Db, drawTransactionNo, type EventPosition, pollJobEvents, readEventPosition } from '@muster/store'
import { type Order, settle, startOf } from './settle.ts'

/** Reads the events of all jobs as they come, in one order without a gap. */
export interface EventFollower {
  /** All events up to this number have been read, or will never be there. Null: not known yet. */
  told(): number | null
  /** The events behind those that were read before. The first reading has none: it finds where to begin. */
  read(): Promise<readonly JobEvent[]>
}

/** In one reading. More follow in the next. */
const eventsMax = 1_000

export function createEventFollower(db: Db): EventFollower {
  let first: (EventPosition & { readonly noneFrom: bigint | null; readonly readAtMs: number }) | null = null
  let order: Order | null = null

  return {
    told: () => order?.told ?? null,
    async read() {
      if (order === null) {
        const position = await readEventPosition(db)
        first ??= {
          ...position,
          noneFrom: position.hasGap ? await drawTransactionNo(db) : null,
          readAtMs: performance.now(),
        }
        order = startOf(first, position, performance.now())
        return []
      }
      const reading = await pollJobEvents(db, { after: order.told, limit: eventsMax })
      const settled = settle(order, reading, performance.now())
      // If this fails nothing was told, and the next reading finds the same.
      order = await bounded(db, settled.order)
      return settled.ready
    },
  }
}

/** A new doubt gets its bound after the reading that found it. An older one keeps its own, so that it ends. */
async function bounded(db: Db, order: Order): Promise<Order> {
  if (order.doubt === null || order.doubt.noneFrom !== null) return order
  return { ...order, doubt: { ...order.doubt, noneFrom: await drawTransactionNo(db) } }
}
