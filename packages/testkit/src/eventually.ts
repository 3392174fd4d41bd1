import { vi } from 'vitest'

/** Tries the assertion again until it holds; after `timeoutMs` (default 5000) throws what it threw last. */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 5_000 }: { timeoutMs?: number } = {},
): Promise<T> {
  return vi.waitFor(assertion, { timeout: timeoutMs, interval: 20 })
}
