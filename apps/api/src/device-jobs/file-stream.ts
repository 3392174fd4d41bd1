/** After so long without a page taken, the reader is gone, or too slow: it holds a place that others wait for. */
const stallMs = 60_000

/** A page of a file that is made while it is read. */
export interface FilePage {
  readonly text: string
  /** Reads the page after this one; null: this is the last. */
  readonly next: (() => Promise<FilePage>) | null
}

/**
 * Sends pages one after the other, each read when the one before it has been taken: so at most two are in memory, and nothing is held
 * in the database between them. When a page cannot be read, or nobody takes one for a minute, the stream breaks off: its reader sees an
 * error and no end. `onBroken` hears why, `onOver` that it is over, however that came, once.
 */
export function streamFile(
  first: FilePage,
  { onBroken, onOver }: { onBroken(error: unknown): void; onOver(): void },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let next: FilePage['next'] = async () => first
  let stall: NodeJS.Timeout | undefined
  let isOver = false
  const end = () => {
    clearTimeout(stall)
    isOver = true
    onOver()
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(stall)
      try {
        const page = await next?.()
        // The reader may have gone away meanwhile.
        if (page === undefined || isOver) return
        controller.enqueue(encoder.encode(page.text))
        next = page.next
      } catch (error) {
        if (isOver) return
        onBroken(error)
        end()
        return controller.error(new Error('the file could not be finished'))
      }
      if (next === null) {
        controller.close()
        return end()
      }
      stall = setTimeout(() => {
        end()
        controller.error(new Error('the reader of the file was too slow'))
      }, stallMs).unref()
    },
    cancel: end,
  })
}
