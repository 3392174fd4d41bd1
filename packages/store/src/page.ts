import { HubError, type JsonObject } from '@muster/contract'

/** Where a page begins: behind the position at which another ended, or at the start. */
export interface PageRequest {
  readonly limit: number
  readonly after: string | null
}

export interface Page {
  readonly items: readonly JsonObject[]
  /** The position at which the next page begins; null when there is none. */
  readonly continuation: string | null
}

export function foreignPosition(): HubError {
  return new HubError('ArgumentInvalid', { message: 'the continuation is not one that a page of this query gave' })
}
