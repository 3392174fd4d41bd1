/** The code and message of an error of Postgres or its driver, below drizzle's wrapper. Codes are empty where there is none. */
export function databaseError(error: unknown): { readonly code: string; readonly message: string } {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return { code: '', message: '' }
  return { code: 'code' in cause ? String(cause.code) : '', message: cause.message }
}

/**
 * Postgres cannot be reached, ended the connection, or cannot do its work now: it starts, is read-only, or has no connection, disk or
 * memory left. Another try may succeed, and the caller has made no mistake.
 */
export function isDatabaseLost(error: unknown): boolean {
  const { code, message } = databaseError(error)
  return code === '' ? driverLost.test(message) : serverLost.test(code)
}

const serverLost = /^(08|57P0|25P03|25006|53|58030|ECONN|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/

/** Errors of the driver have no code. In order: a connection is cut; is not free in time; is used after it was cut or closed. */
const driverLost =
  /^(Connection terminated|timeout e(xceeded|xpired)|Client (has encountered a connection error|was closed)|Cannot use a pool after)/

export function isStatementTimeout(error: unknown): boolean {
  return databaseError(error).code === '57014'
}

/** Others hold a lock that the statement needs. */
export function isLockTimeout(error: unknown): boolean {
  return databaseError(error).code === '55P03'
}

/** The same statement may succeed in a moment: Postgres was lost, or a deadlock ended the statement. */
export function isWorthRepeating(error: unknown): boolean {
  return isDatabaseLost(error) || isLockTimeout(error) || ['40001', '40P01'].includes(databaseError(error).code)
}
