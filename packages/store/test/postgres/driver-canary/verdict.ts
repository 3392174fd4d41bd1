import type { Driver } from './drivers.ts'
import type { End } from './end-of.ts'

export interface Given {
  /** A database that nobody else uses. */
  readonly url: string
  open(poolSize: number): Driver
}

/** A driver that failed in another way, or a Postgres that refused the test, left the fault not tried. */
export interface Verdict {
  readonly kind: 'shown' | 'not shown' | 'not tried'
  readonly evidence: string
}

export function verdictOf(isShown: boolean, evidence: string): Verdict {
  return { kind: isShown ? 'shown' : 'not shown', evidence }
}

export function hung(what: string, { kind, how }: End): Verdict {
  return verdictOf(kind === 'never', `${what} ${how}`)
}

export function survived({ how }: End): Verdict {
  return verdictOf(false, `the process goes on; the statement ${how}`)
}
