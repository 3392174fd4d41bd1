import { hostname } from 'node:os'
import type { Config } from '../config/config.ts'
import type { RoleName } from '../config/role-names.ts'
import { readVersion } from '../config/version.ts'
import { noTracing, type OpenTracing } from './tracing.ts'

interface TracingOptions {
  readonly roles: readonly RoleName[]
  readonly clock: { now(): Date }
  /** The collector did not take some spans. They are lost. */
  readonly onLoss: (error: unknown) => void
}

/** Spans go to the collector of the config. Without one nothing of OpenTelemetry is even loaded. */
export async function openTracing({ tracing }: Config, { roles, ...options }: TracingOptions): Promise<OpenTracing> {
  if (tracing === null) return { ...noTracing, close: async () => {} }
  const { exportSpans } = await import('./export-spans.ts')
  return exportSpans(tracing, {
    ...options,
    // One service a role, so that a picture of the services shows the way of a job. A process with several roles is the hub.
    service: roles.length === 1 ? `muster-${roles[0]}` : 'muster',
    version: readVersion(),
    instance: `${hostname()}:${process.pid}`,
  })
}
