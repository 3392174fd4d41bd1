import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface Heard {
  /** The status of each answer, in order; 100 too. */
  readonly statuses: readonly number[]
  readonly text: string
  /** False: the server had not closed the connection when `waitMs` were over. */
  readonly isClosed: boolean
}

export interface Line {
  readonly port: number
  /** Over TLS, trusting this. Null: in clear. */
  readonly ca: string | null
}

/** Sends bytes as they are, and listens until the server closes the connection, but for `waitMs` at most. */
export function speak(
  { port, ca }: Line,
  parts: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
  { waitMs = 15_000, halfClose = false }: { waitMs?: number; halfClose?: boolean } = {},
): Promise<Heard> {
  const at = { host: '127.0.0.1', port, allowHalfOpen: true }
  const socket = ca === null ? connect(at) : connectTls({ ...at, ca, servername: 'localhost' })
  return new Promise((resolve) => {
    let text = ''
    const end = (isClosed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ statuses: statusesIn(text), text, isClosed })
    }
    const timer = setTimeout(() => end(false), waitMs)
    socket.on('data', (chunk) => {
      // What an attacker does not read would only fill the memory of the test.
      if (text.length < 1_000_000) text += chunk.toString('latin1')
    })
    // A reset is a way to close, too; so is the end of the server's half.
    socket.on('error', () => {})
    socket.on('end', () => end(true))
    socket.on('close', () => end(true))
    void (async () => {
      for await (const part of parts) {
        if (!socket.writable) return
        if (!socket.write(part)) await new Promise<void>((go) => onRoom(socket, go))
      }
      if (halfClose) socket.end()
    })()
  })
}

/** Calls once there is room to write, or nobody will read any more. */
function onRoom(socket: Socket, go: () => void): void {
  const done = () => {
    socket.off('drain', done).off('close', done)
    go()
  }
  socket.on('drain', done).on('close', done)
}

function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}
