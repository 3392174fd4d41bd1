import { accessOf, type Credentials } from './credentials.ts'
import { createExchange } from './exchange.ts'
import { createJobs, type Jobs } from './jobs.ts'
import {
  createDevices,
  createModules,
  createStatistics,
  type Devices,
  type Modules,
  type Statistics,
} from './registry.ts'
import { createStops, type Stops } from './rollouts/stops.ts'
import { createSchedules, type Schedules } from './schedules/schedules.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createMethods, createQuery, createTwins, type Methods, type Query, type Twins } from './twins.ts'
import { createWebhooks, type Webhooks } from './webhooks.ts'

export type ClientOptions = Credentials & {
  /** Where the hub is, when that is not what the connection string names: `http://127.0.0.1:8080` for one on this machine. */
  readonly url?: string | URL
  /** Instead of the one that the program has. */
  readonly fetch?: typeof fetch
  /** How long one call may take; by default 30,000. */
  readonly timeoutMs?: number
}

/** A hub, as its service API shows it. */
export interface Client {
  /** Where its calls go. */
  readonly url: URL
  readonly jobs: Jobs
  readonly devices: Devices
  readonly modules: Modules
  readonly twins: Twins
  readonly methods: Methods
  readonly statistics: Statistics
  readonly schedules: Schedules
  readonly webhooks: Webhooks
  readonly stops: Stops
  readonly sessions: Sessions
  /** Rows of a query over `devices`, `devices.modules` or `devices.jobs`. */
  readonly query: Query
}

const timeoutMsDefault = 30_000

/**
 * A client of one hub. It opens no connection before the first call, and needs no closing.
 * @throws TypeError when the connection string or the URL is none
 */
export function createClient(options: ClientOptions): Client {
  const access = accessOf(options, options.url)
  const exchange = createExchange(access, {
    // A browser refuses its own fetch as a method of another object.
    fetch: options.fetch ?? ((...request) => fetch(...request)),
    timeoutMs: options.timeoutMs ?? timeoutMsDefault,
  })
  return {
    url: access.url,
    jobs: createJobs(exchange),
    devices: createDevices(exchange),
    modules: createModules(exchange),
    twins: createTwins(exchange),
    methods: createMethods(exchange),
    statistics: createStatistics(exchange),
    schedules: createSchedules(exchange),
    webhooks: createWebhooks(exchange),
    stops: createStops(exchange),
    sessions: createSessions(exchange),
    query: createQuery(exchange),
  }
}
