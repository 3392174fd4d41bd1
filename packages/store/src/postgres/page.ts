import { HubError, type JsonObject, type MemberTexts } from '@muster/contract'

/** Where a page begins: after the position of another page, or at the start. */
export interface PageRequest {
  /** How many rows it has at most. */
  readonly limit: number
  readonly after: string | null
}

/** A page, and how its rows are shown. */
export interface WrittenPageRequest<Row = JsonObject> extends PageRequest {
  /** The JSON of a row. */
  readonly write: (row: Row) => string
}

/** The same for the rows of a query. */
export interface QueryPageRequest extends PageRequest {
  /** `texts`: more members of the row. */
  readonly write: (row: JsonObject, texts?: MemberTexts) => string
}

export interface Page {
  /** Rows as they were written. */
  readonly items: readonly string[]
  /** The position at which the next page begins; null when there is none. */
  readonly continuation: string | null
}

export function foreignPosition(): HubError {
  return new HubError('ArgumentInvalid', { message: 'the continuation token is not from a page of this query' })
}
