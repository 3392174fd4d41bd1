/** The body of an answer that goes on. What its reader has not taken yet waits here, within bounds. */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>
  /** False: too much waits already, and the message does not. */
  send(message: Uint8Array): boolean
  /** Nothing waits: the reader has taken everything. */
  isTaken(): boolean
  /** Resolves when the reader has taken everything, or has left. */
  taken(): Promise<void>
  /** Ends the body after what waits. A reader that does not take it within 5 s is cut. */
  end(): void
  /** Forgets what waits, and ends the body with this message. A reader that does not take it within 5 s is cut. */
  drop(last: Uint8Array): void
}

/** A reader that lags by so much does not catch up. Statistics of a hundred running jobs come to less than 50 KiB a second. */
const waitingBytesMax = 2 ** 20
const waitingMessagesMax = 1_000

/** A reader that has stopped would keep its connection for minutes, and hold up the end of the process. */
export const untakenMs = 5_000

interface Connection {
  /** Closes it at once. The body is cancelled by that. */
  cut(): void
  /** The body has come to its end, or the reader has left. */
  onOver(): void
}

export function openEventStream({ cut, onOver }: Connection): EventStream {
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let isOver = false
  let reader: ReadableStreamDefaultController<Uint8Array> | null = null
  const whenTaken: (() => void)[] = []
  let patience: NodeJS.Timeout | undefined

  const settle = () => {
    for (const resolve of whenTaken.splice(0)) resolve()
  }
  /** Hands over what waits, if the reader asks for it. */
  const flush = () => {
    if (reader === null) return
    const asking = reader
    if (waiting.length > 0) {
      reader = null
      const [only, ...more] = waiting
      const messages = only !== undefined && more.length === 0 ? only : Buffer.concat(waiting)
      waiting = []
      waitingBytes = 0
      asking.enqueue(messages)
    } else if (isOver) {
      reader = null
      asking.close()
      over()
    } else settle()
  }
  const over = () => {
    clearTimeout(patience)
    onOver()
  }
  const finish = () => {
    isOver = true
    patience = setTimeout(cut, untakenMs)
    settle()
    flush()
  }

  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        reader = controller
        flush()
      },
      cancel() {
        isOver = true
        settle()
        over()
      },
    },
    // Nothing is asked for before the connection can take it.
    { highWaterMark: 0 },
  )

  return {
    body,
    send(message) {
      if (isOver) return true
      if (waiting.length >= waitingMessagesMax || waitingBytes + message.byteLength > waitingBytesMax) return false
      waiting.push(message)
      waitingBytes += message.byteLength
      flush()
      return true
    },
    isTaken: () => waiting.length === 0,
    taken: () =>
      isOver || (waiting.length === 0 && reader !== null)
        ? Promise.resolve()
        : new Promise((resolve) => whenTaken.push(resolve)),
    end: finish,
    drop(last) {
      waiting = [last]
      waitingBytes = last.byteLength
      finish()
    },
  }
}
