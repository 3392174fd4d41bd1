import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a port of this machine that can be cut and closed, as a network can. */
export interface Way extends AsyncDisposable {
  readonly port: number
  /** Ends every connection. New ones are taken. */
  cut(): void
  /** Ends every connection, and takes none until it is opened. */
  close(): Promise<void>
  open(): Promise<void>
}

export async function openWay(to: number): Promise<Way> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket)))
    return socket
  }
  const server = createServer((near) => {
    const far = keep(connect(to, '127.0.0.1'))
    keep(near).pipe(far).pipe(near)
  })
  let port = 0
  const open = async () => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address: AddressInfo | string | null = server.address()
    if (address !== null && typeof address === 'object') port = address.port
  }
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  const close = async () => {
    const closed = once(server, 'close')
    server.close()
    cut()
    await closed
  }
  await open()
  return {
    get port() {
      return port
    },
    cut,
    close,
    open,
    async [Symbol.asyncDispose]() {
      if (server.listening) await close()
    },
  }
}
