import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { destination, type Logger, pino } from 'pino'
import type { Config } from '../config/config.ts'
import { readVersion } from '../config/version.ts'

/** Takes one line at a time, with its line end. */
export interface LogOutput {
  write(line: string): void
}

/**
 * One JSON object per line; only `events.ts` writes it. Standard output is for what a command prints. Each line says which version wrote
 * it, and which instance: in Kubernetes the name of a host is that of its pod.
 */
export function openLog(level: Config['logLevel'], output: LogOutput = standardError()): Logger {
  return pino(
    {
      level,
      messageKey: 'event',
      base: { version: readVersion(), instance: `${hostname()}:${process.pid}` },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      serializers: { error: describeError },
    },
    output,
  )
}

/** Synchronous, because the last lines before an exit matter most. A person at a terminal gets text instead of JSON. */
function standardError(): LogOutput {
  if (!process.stderr.isTTY) return destination({ dest: 2, sync: true })
  // Not imported: it takes longer to load than all the rest of the log, and only people need it.
  const { PinoPretty }: typeof import('pino-pretty') = createRequire(import.meta.url)('pino-pretty')
  return PinoPretty({ destination: 2, sync: true, messageKey: 'event', ignore: 'version,instance,roles' })
}

/**
 * An error for the log. drizzle puts the parameters of a statement into the message, and the driver quotes rows in `detail`. Both can be
 * device keys or payloads. So only the statement, the message of the driver and its code are kept.
 */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const statement = Reflect.get(error, 'query')
  const isStatement = typeof statement === 'string' && 'params' in error
  return {
    type: error.name,
    message: isStatement ? 'a statement failed' : error.message,
    ...(isStatement ? { statement } : {}),
    ...('code' in error ? { code: error.code } : {}),
    stack: (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at ')),
    ...(error instanceof AggregateError ? { errors: error.errors.map((each) => describeError(each, depth + 1)) } : {}),
    ...(error.cause !== undefined && depth < 3 ? { cause: describeError(error.cause, depth + 1) } : {}),
  }
}
