/** Waits for the work until the signal aborts. Work that is left then goes on by itself, or ends with the process. */
export async function orAborted(work: PromiseLike<void>, signal: AbortSignal): Promise<void> {
  let giveUp = () => {}
  const aborted = new Promise<void>((resolve) => {
    giveUp = resolve
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
  })
  await Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', giveUp))
}
