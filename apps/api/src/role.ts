import { clockGraceMs, createBearerVerifier } from '@muster/auth'
import { createEventIds } from '@muster/contract'
import { createWebhookCalls, type Role } from '@muster/runtime'
import { readHubId, readPolicies } from '@muster/store'
import { createApp } from './app.ts'
import { createJobFeed } from './events/feed.ts'
import { createSessions } from './events/session-cookie.ts'
import { continuationKey } from './http/paging.ts'

/** Serves the service API on the sockets of the process. They also end its requests when the process stops. */
export const role: Role = {
  name: 'api',
  async start(hub) {
    const policies = await readPolicies(hub.db)
    const owner = policies.find(({ name }) => name === 'iothubowner')
    if (owner === undefined)
      throw new Error('the database holds no policy iothubowner: its keys are made when a hub first starts')
    const { oidc } = hub.config
    const eventIds = createEventIds(await readHubId(hub.db))
    const feed = createJobFeed({ ...hub, eventIds })
    const app = createApp({
      db: hub.db,
      bus: hub.bus,
      clock: hub.clock,
      events: hub.events,
      throttles: hub.throttles,
      tracing: hub.tracing,
      hostNames: hub.config.hostNames,
      maxRunningJobs: hub.config.maxRunningJobs,
      continuationKey: continuationKey(owner.primaryKey),
      eventIds,
      feed,
      sessions: createSessions(owner.primaryKey),
      webhookCalls: createWebhookCalls({ clock: hub.clock, allowedNetworks: hub.config.webhookAllowedNetworks }),
      bearer:
        oidc &&
        createBearerVerifier({
          ...oidc,
          skewMs: clockGraceMs,
          onFailure: (error) => hub.events.issuerFailed({ error }),
        }),
    })
    hub.front.serve((request, arrival) => app.fetch(request, arrival))
    // A stream would hold up the front, which lets answers under way end.
    return { drain: async () => feed.close(), stop: async () => {} }
  },
}
