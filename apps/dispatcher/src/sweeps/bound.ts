/** How much one pass of a sweep may repair, or look at. */
export interface Bound {
  readonly limit: number
}
