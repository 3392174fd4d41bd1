/** A store could not be found or started. The message is one line for the user: what, which, and what to do. */
export class LocalServicesError extends Error {
  override readonly name = 'LocalServicesError'
}

/** The most useful line of a caught error. A failed program prints the reason between lines about its work. */
export function reasonOf(cause: unknown): string {
  const lines = (cause instanceof Error ? cause.message : String(cause)).trim().split('\n')
  return (lines.findLast((line) => /^E: |error|fatal/i.test(line)) ?? lines.at(-1) ?? '').trim()
}
