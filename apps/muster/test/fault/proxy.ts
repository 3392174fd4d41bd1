import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A way to a server that can be cut. */
export async function givenWay(url: string): Promise<{ readonly url: string; cut(): void }> {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const store = connect(Number(target.port), target.hostname)
    for (const socket of [client, store]) sockets.add(socket.on('error', () => socket.destroy()))
    client.pipe(store).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href,
    cut() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
