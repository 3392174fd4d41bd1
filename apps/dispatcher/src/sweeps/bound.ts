/** How much one pass of a sweep may repair. */
export interface Bound {
  readonly limit: number
}
