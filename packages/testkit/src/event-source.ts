/** A message of a text/event-stream, or a comment of it. */
export interface StreamMessage {
  /** `comment` for a comment. */
  readonly event: string
  readonly id: string | null
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON comes
  readonly data: any
}

export interface EventReader extends AsyncDisposable {
  /** The next message; null at the end of the stream. */
  next(): Promise<StreamMessage | null>
  /** The messages up to the first of this event, with it. Throws when the stream ends before. */
  until(event: string): Promise<readonly StreamMessage[]>
  /** All messages up to the end of the stream. */
  rest(): Promise<readonly StreamMessage[]>
}

/** Reads the body of an answer as a browser's EventSource does. It reads on only when somebody asks for more. */
export function readEvents({ body }: Response): EventReader {
  if (body === null) throw new Error('the answer has no body')
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let text = ''

  const next = async (): Promise<StreamMessage | null> => {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end !== -1) {
        const message = parse(text.slice(0, end))
        text = text.slice(end + 2)
        if (message !== null) return message
        continue
      }
      const { done, value } = await reader.read()
      if (done) return null
      text += decoder.decode(value, { stream: true })
    }
  }

  return {
    next,
    async until(event) {
      const messages: StreamMessage[] = []
      while (messages.at(-1)?.event !== event) {
        const message = await next()
        if (message === null) throw new Error(`the stream ended before ${event}: ${JSON.stringify(messages)}`)
        messages.push(message)
      }
      return messages
    },
    async rest() {
      const messages: StreamMessage[] = []
      for (let message = await next(); message !== null; message = await next()) messages.push(message)
      return messages
    },
    [Symbol.asyncDispose]: () => reader.cancel(),
  }
}

/** Null for a message that only says when to connect again. */
function parse(text: string): StreamMessage | null {
  if (text.startsWith(':')) return { event: 'comment', id: null, data: text.slice(1).trim() }
  const fields = new Map(
    text.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  )
  const data = fields.get('data')
  return data === undefined
    ? null
    : { event: fields.get('event') ?? 'message', id: fields.get('id') ?? null, data: JSON.parse(data) }
}
