/**
 * Goes round a list that may be long: a pass looks at the next part of it. After the end it begins anew, and so does a new process.
 */
export interface Round<Place> {
  /** `look` begins after a place, or at the start of the list, and says where it came to; null at the end. */
  pass<Result extends { readonly last: Place | null }>(look: (after: Place | null) => Promise<Result>): Promise<Result>
}

export function createRound<Place>(): Round<Place> {
  let after: Place | null = null
  return {
    async pass(look) {
      const result = await look(after)
      after = result.last
      return result
    },
  }
}
