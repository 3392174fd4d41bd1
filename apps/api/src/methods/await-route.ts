import { setTimeout as sleep } from 'node:timers/promises'
import type { IdentityKey } from '@muster/contract'
import { type Db, findRoutes, type Route } from '@muster/store'

/** A device that connects meanwhile is noticed this late. */
const pollMs = 250
const identitiesPerStatement = 1_000

/** Who waits for a device or module asks again and again; whoever asks in the same quarter of a second is told by one statement. */
export interface RoutesToCome {
  /** The route as it is in a moment; undefined when there is no such identity then. */
  next(identity: IdentityKey): Promise<Route | undefined>
}

interface Look {
  readonly identities: Set<IdentityKey>
  readonly routes: Promise<ReadonlyMap<IdentityKey, Route>>
}

/** Looks only while somebody waits, and one look after the other: a Postgres that is slow is not asked more often. */
export function createRoutesToCome(db: Db): RoutesToCome {
  let coming: Look | null = null
  let previous: Promise<unknown> = Promise.resolve()

  const begin = (): Look => {
    const identities = new Set<IdentityKey>()
    const routes = Promise.all([sleep(pollMs, undefined, { ref: false }), previous]).then(() => {
      coming = null
      return findAll(db, [...identities])
    })
    previous = routes.catch(() => {})
    return { identities, routes }
  }

  return {
    async next(identity) {
      coming ??= begin()
      coming.identities.add(identity)
      return (await coming.routes).get(identity)
    },
  }
}

async function findAll(db: Db, identities: readonly IdentityKey[]): Promise<Map<IdentityKey, Route>> {
  const found = new Map<IdentityKey, Route>()
  for (let start = 0; start < identities.length; start += identitiesPerStatement) {
    const routes = await findRoutes(db, identities.slice(start, start + identitiesPerStatement))
    for (const route of routes) found.set(route.identity, route)
  }
  return found
}
