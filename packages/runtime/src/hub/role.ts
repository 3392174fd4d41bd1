import type { Bus } from '@muster/bus'
import type { Db } from '@muster/store'
import type { Config } from '../config/config.ts'
import type { RoleName } from '../config/role-names.ts'
import type { Front } from '../front/front.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Events } from '../observability/events.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Throttles } from './throttles.ts'

export interface Clock {
  now(): Date
}

/** The time of the hub: Postgres' clock, the same in every process. */
export interface HubClock extends Clock {
  /** False: the time may be wrong by more than half a second. Who claims work asks before. */
  isTrusted(): boolean
}

/** The parts of a process: built once, passed as arguments. A function takes only the parts it uses: `Pick<Hub, 'db' | 'clock'>`. */
export interface Hub {
  readonly config: Config
  readonly db: Db
  readonly bus: Bus
  readonly events: Events
  readonly metrics: Metrics
  readonly clock: HubClock
  readonly front: Front
  readonly throttles: Throttles
  readonly tracing: Tracing
}

export interface Role {
  readonly name: RoleName
  /** Resolves when ready to serve. The sockets of `front` open when every role of the process has started. */
  start(hub: Hub): Promise<RunningRole>
}

export interface RunningRole {
  /** The bound port of a server of its own, beside those of `front`. */
  readonly port?: number
  /** Called once before `stop`, while the others stop: takes no new work, and waits for the work under way until `deadline` aborts. */
  drain?(deadline: AbortSignal): Promise<void>
  /** Takes no new work, finishes the work under way, and gives up when `deadline` aborts. Called once. */
  stop(deadline: AbortSignal): Promise<void>
  /** For /health/ready. Throws when the role cannot do its work now. The caller bounds the time. */
  check?(): Promise<void>
}
