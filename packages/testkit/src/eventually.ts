import { vi } from 'vitest'

/** Repeats the assertion until it holds. After `timeoutMs` (default 5000) throws its last error. */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 5_000 }: { timeoutMs?: number } = {},
): Promise<T> {
  return vi.waitFor(assertion, { timeout: timeoutMs, interval: 20 })
}
