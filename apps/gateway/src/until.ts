import { once } from 'node:events'

/** Waits for the work, or for the deadline. */
export async function until(deadline: AbortSignal, work: PromiseLike<unknown> | null): Promise<void> {
  if (deadline.aborted) return
  await Promise.race([work, once(deadline, 'abort')])
}
