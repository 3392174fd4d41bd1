/** The code and message of an error of Postgres or its driver, below drizzle's wrapper. Empty when it is neither. */
export function databaseError(error: unknown): { readonly code: string; readonly message: string } {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error) || !('code' in cause)) return { code: '', message: '' }
  return { code: String(cause.code), message: cause.message }
}

/** Postgres cannot be reached, or ended the connection: worth trying again, and nobody's fault who asked. */
export function isDatabaseLost(error: unknown): boolean {
  return /^(08|57P0|53300|CONNECT|ECONN|ENOTFOUND|EAI_AGAIN|EPIPE)/.test(databaseError(error).code)
}

export function isStatementTimeout(error: unknown): boolean {
  return databaseError(error).code === '57014'
}
