import type { DataDirClaim } from './data-dir.ts'
import { LocalServicesError } from './error.ts'
import type { StoreUser } from './store-user.ts'

/** A Postgres or a Redis to use; dispose ends it when we started it. */
export interface Store extends AsyncDisposable {
  readonly url: string
  /** One line for the user, without the password. */
  readonly description: string
}

export type StoreName = 'Postgres' | 'Redis'

/** A step after a private store ended without being asked. */
export interface StoreIncident {
  readonly store: StoreName
  readonly kind: 'ended' | 'restarted' | 'restartFailed'
  /** One line for the user. */
  readonly message: string
}

/** Where and how a private store runs. */
export interface StorePlace {
  readonly claim: DataDirClaim
  readonly durable: boolean
  readonly user: StoreUser | undefined
  onIncident(incident: StoreIncident): void
}

/** A store that somebody else runs. */
export function givenStore(name: string, url: string): Store {
  if (!URL.canParse(url)) throw new LocalServicesError(`the address given for ${name} is not a URL: check it`)
  const { host, pathname } = new URL(url)
  return { url, description: `${name} at ${host}${pathname} (given)`, [Symbol.asyncDispose]: async () => {} }
}
