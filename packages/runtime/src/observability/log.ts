import { destination, type Logger, pino } from 'pino'
import type { Config } from '../config/config.ts'

/** Takes a line with its end at a time. */
export interface LogOutput {
  write(line: string): void
}

/** One JSON object per line; only `events.ts` writes it. Standard output is for what a command prints. */
export function openLog(level: Config['logLevel'], output: LogOutput = standardError()): Logger {
  return pino(
    {
      level,
      messageKey: 'event',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      serializers: { error: describeError },
    },
    output,
  )
}

/** Synchronous: the last lines before an exit are the ones that matter. */
function standardError(): LogOutput {
  return destination({ dest: 2, sync: true })
}

/**
 * An error as the log may hold it. drizzle puts a statement's parameters into the message and the driver quotes rows in
 * `detail`: both can be device keys or payloads, so only the statement, the driver's message and its code are kept.
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
