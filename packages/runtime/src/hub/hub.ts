import { readClock, readLoad } from '@muster/store'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { readVersion } from '../config/version.ts'
import { loadTls } from '../front/certificates.ts'
import { type FrontPorts, openFront } from '../front/front.ts'
import { type LiveTls, openTls } from '../front/live-tls.ts'
import { openMetrics } from '../metrics/metrics.ts'
import { openEvents } from '../observability/events.ts'
import { operatorPages } from '../observability/health.ts'
import { openLog } from '../observability/log.ts'
import { operatorDoor } from '../operator/operator-door.ts'
import { queuePages, queuesPath } from '../operator/queue-pages.ts'
import { scalingPage } from '../operator/scaling-page.ts'
import { openTracing } from '../tracing/open-tracing.ts'
import { startHubClock } from './hub-clock.ts'
import type { Hub, HubClock, Role, RunningRole } from './role.ts'
import { stopRoles } from './stop-roles.ts'
import { openStores } from './stores.ts'
import { createThrottles } from './throttles.ts'

/** The ports that are really bound. `mqtts` is null in a process without a gateway. */
interface Ports extends FrontPorts {
  readonly mqtts: number | null
}

/** The roles of one process, started. */
export interface RunningHub {
  readonly hub: Hub
  readonly ports: Ports
  /** The CA that clients must trust. Null when no role of this process has a TLS port. */
  readonly caFile: string | null
  /**
   * Stops the process, in about `shutdownSeconds` at most: no new work comes in, and work under way is finished or left to the sweeps.
   * A second call returns the same promise. `reason` is a word for the log.
   */
  stop(reason: string): Promise<void>
}

/**
 * Connects to the stores, starts the roles in the given order, and then opens the sockets. Migrates nothing: the schema must
 * be up to date. When a step fails, the started parts are stopped again. The log goes to standard error unless one is given. The time
 * of the hub is measured at Postgres unless a clock is given.
 * @throws StartError for a problem that the operator can solve
 */
export async function runRoles(
  roles: readonly Role[],
  config: Config,
  { clock: givenClock, log: givenLog = openLog(config.logLevel) }: { clock?: HubClock; log?: Logger } = {},
): Promise<RunningHub> {
  const startedAtMs = performance.now()
  const version = readVersion()
  const roleNames = roles.map(({ name }) => name)
  const metrics = openMetrics(version, roleNames)
  const events = openEvents({ log: givenLog.child({ roles: roleNames }), metrics })
  events.hubStarting({})
  const hasTls = roles.some(({ name }) => name === 'api' || name === 'gateway')
  const tls = hasTls ? await openCertificates({ config, events }) : null
  // Redis only wakes. Without it the API and the gateways still serve.
  const needsRedis = roles.some(({ name }) => name === 'worker' || name === 'dispatcher')
  const sharesWithApi = roles.length > 1 && roles.some(({ name }) => name === 'api')
  const stores = await openStores(config, {
    startClock: async (db) =>
      givenClock === undefined
        ? startHubClock(() => readClock(db), events)
        : { ...givenClock, [Symbol.dispose]: () => {} },
    needsRedis,
    sharesWithApi,
    onLoss: (error) => events.busFailed({ error }),
    metrics,
  }).catch((error) => {
    tls?.[Symbol.dispose]()
    throw error
  })

  const tracing = await openTracing(config, {
    roles: roleNames,
    clock: stores.clock,
    onLoss: (error) => events.spansLost({ error }),
  })

  const running: { role: Role; run: RunningRole }[] = []
  const checks = () => [
    ...stores.checks,
    ...running.map(({ role, run }) => ({ name: role.name, check: async () => run.check?.(), isNeeded: true })),
  ]
  const openPage = operatorPages({
    version,
    metrics,
    checks,
    onFailure: (check, error) => events.readinessLost({ check, error }),
    onUnread: (error) => events.scrapeFailed({ error }),
  })
  const door = operatorDoor({
    token: config.operatorToken,
    pages: {
      '/internal/scaling': scalingPage({
        readLoad: () => readLoad(stores.db, stores.clock.now()),
        capacity: config,
        requestsInFlight: () => front.requestsInFlight(),
        onFailure: (error) => events.loadNotRead({ error }),
      }),
      [queuesPath]: queuePages(stores.bus),
    },
    onRefused: events.operatorRefused,
  })
  const page: Parameters<typeof openFront>[0]['page'] = (visit) =>
    door(visit) ?? openPage(new URL(visit.request.url).pathname)
  const front = openFront({ config, tls, page, onRefused: (error) => events.connectionNotAccepted({ error }) })
  metrics.whenScraped(() => ({ muster_requests_in_flight: front.requestsInFlight() }))
  metrics.whenScraped(async () => ({ muster_redis_ping_seconds: await secondsOf(() => stores.bus.ping()) }))
  const throttles = createThrottles({ bus: stores.bus, events }, config.throttles)
  const { db, bus, clock } = stores
  const hub: Hub = { config, db, bus, events, metrics, clock, front, throttles, tracing }

  const stop = once(async (reason: string) => {
    events.hubStopping({ reason })
    tls?.[Symbol.dispose]()
    await stopRoles(running, { front, events, seconds: config.shutdownSeconds }).finally(() =>
      Promise.all([stores.close(), tracing.close()]),
    )
  })
  try {
    for (const role of roles) {
      running.push({ role, run: await role.start(role.name === 'api' ? { ...hub, db: stores.apiDb } : hub) })
    }
    const gateway = running.find(({ role }) => role.name === 'gateway')
    const ports = { ...(await front.listen()), mqtts: gateway?.run.port ?? null }
    if (ports.https !== null && config.httpsPort !== 0 && ports.https !== config.httpsPort) {
      events.httpsPortReplaced({ wanted: config.httpsPort, bound: ports.https })
    }
    const seconds = (performance.now() - startedAtMs) / 1000
    events.hubStarted({ ...ports, seconds })
    return { hub, ports, caFile: tls?.current.caFile ?? null, stop }
  } catch (error) {
    await stop('start failed')
    throw error
  }
}

/** How soon a changed certificate is used. To read and compare two small files costs almost nothing. */
const certificateEveryMs = 10_000

/** Those whom a certificate convinces judge it by the time of the world, and so does the hub when it makes one. */
function openCertificates({ config, events }: Pick<Hub, 'config' | 'events'>): Promise<LiveTls> {
  return openTls(() => loadTls(config, new Date()), {
    everyMs: certificateEveryMs,
    onLoaded: events.certificateLoaded,
    onRefused: (error) => events.certificateRefused({ error }),
  })
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (performance.now() - startedMs) / 1000
}

function once(stop: (reason: string) => Promise<void>): (reason: string) => Promise<void> {
  let stopped: Promise<void> | undefined
  return (reason) => {
    stopped ??= stop(reason)
    return stopped
  }
}
