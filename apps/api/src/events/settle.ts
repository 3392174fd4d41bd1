import type { JobEvent } from '@muster/contract'
import type { EventPosition, Snapshot } from '@muster/store'

/** How far the events of all jobs have been told, in one order without a gap. */
export interface Order {
  /** All up to this number were told, or will never be there. */
  readonly told: number
  /** Null: there is no gap. */
  readonly doubt: Doubt | null
}

/** A number below `upTo` is missing. */
interface Doubt {
  readonly upTo: number
  /** The transactions that may bring it all lie before this one. Null: not known yet, the doubt is new. */
  readonly noneFrom: bigint | null
  readonly sinceMs: number
}

/**
 * So long a missing number is waited for. Another transaction that writes may last for hours, such as one that makes an index, and must not
 * hold up all events for as long. No transaction of the hub lasts so long after it has written an event.
 */
const doubtMs = 60_000

/** Where to begin, by a first reading and a later one of the position. Null: a number below may still come. `nowMs`: of a steady clock. */
export function startOf(
  first: EventPosition & Pick<Doubt, 'noneFrom'> & { readonly readAtMs: number },
  later: EventPosition,
  nowMs: number,
): Order | null {
  if (!later.hasGap) return { told: later.last, doubt: null }
  return isFinal({ ...first, sinceMs: first.readAtMs }, later, nowMs) ? { told: first.last, doubt: null } : null
}

/** The events of a reading that may be told: all before the first number that may still come. Whoever gets a new doubt gives it `noneFrom`. */
export function settle(
  { told, doubt }: Order,
  { events, ...snapshot }: Snapshot & { readonly events: readonly JobEvent[] },
  nowMs: number,
): { readonly ready: readonly JobEvent[]; readonly order: Order } {
  const finalUpTo = doubt !== null && isFinal(doubt, snapshot, nowMs) ? doubt.upTo : told
  let last = told
  const end = events.findIndex(({ no }) => {
    if (no !== last + 1 && no > finalUpTo) return true
    last = no
    return false
  })
  if (end === -1) return { ready: events, order: { told: last, doubt: null } }
  const isSame = doubt !== null && finalUpTo !== doubt.upTo && last < doubt.upTo
  const upTo = events.at(-1)?.no ?? last
  return {
    ready: events.slice(0, end),
    order: { told: last, doubt: isSame ? doubt : { upTo, noneFrom: null, sinceMs: nowMs } },
  }
}

function isFinal(
  { noneFrom, sinceMs }: Pick<Doubt, 'noneFrom' | 'sinceMs'>,
  { allEndedBefore }: Snapshot,
  nowMs: number,
): boolean {
  return (noneFrom !== null && allEndedBefore >= noneFrom) || nowMs - sinceMs >= doubtMs
}
