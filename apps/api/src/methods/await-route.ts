import { setTimeout as sleep } from 'node:timers/promises'
import type { IdentityKey } from '@muster/contract'
import { type Db, findRoutes, type Route } from '@muster/store'

/** The time until a device that connects meanwhile is noticed. */
const pollMs = 250
const identitiesPerStatement = 1_000

/** Calls that wait for a device or module ask again and again. One statement answers all calls of the same quarter of a second. */
export interface RoutesToCome {
  /** The route at the next look; undefined when there is no such identity then. */
  next(identity: IdentityKey): Promise<Route | undefined>
}

interface Look {
  readonly identities: Set<IdentityKey>
  readonly routes: Promise<ReadonlyMap<IdentityKey, Route>>
}

/** Looks only while somebody waits, and one look after the other, so that a slow Postgres is not asked more often. */
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
