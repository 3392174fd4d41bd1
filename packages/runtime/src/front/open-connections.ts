import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** How often idle connections are closed while a server drains. A connection becomes idle after the answer to its request. */
const idleSweepMs = 50

/** Watches the connections of a server, also upgraded ones, so that it can be closed within a deadline. */
export function trackConnections(server: Server): { close(deadline: AbortSignal): Promise<void> } {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })

  return {
    async close(deadline) {
      if (!server.listening) return
      const cut = () => {
        for (const socket of open) socket.destroy()
      }
      const sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs)
      deadline.addEventListener('abort', cut)
      if (deadline.aborted) cut()

      await new Promise<void>((resolve) => server.close(() => resolve()))
      clearInterval(sweep)
      deadline.removeEventListener('abort', cut)
    },
  }
}
