import type { Duplex } from 'node:stream'
import type { Metrics } from '@muster/runtime'

/** A socket counts its bytes itself. They come to the metrics when somebody reads those, and when the socket closes. */
interface Counted {
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** Adds up the bytes of the sockets that are given to it. For a WebSocket, give the socket below it. */
export function countBytes(
  metrics: Pick<Metrics, 'muster_mqtt_received_bytes_total' | 'muster_mqtt_sent_bytes_total' | 'whenScraped'>,
): (socket: Duplex) => void {
  /** What was added of each open socket. */
  const added = new Map<Duplex & Counted, { received: number; sent: number }>()

  const add = (socket: Duplex & Counted) => {
    const before = added.get(socket)
    if (before === undefined) return
    const { bytesRead: received, bytesWritten: sent } = socket
    metrics.muster_mqtt_received_bytes_total.inc(received - before.received)
    metrics.muster_mqtt_sent_bytes_total.inc(sent - before.sent)
    added.set(socket, { received, sent })
  }
  metrics.whenScraped(() => {
    for (const socket of added.keys()) add(socket)
    return {}
  })
  return (socket) => {
    if (!countsBytes(socket)) return
    added.set(socket, { received: 0, sent: 0 })
    socket.once('close', () => {
      add(socket)
      added.delete(socket)
    })
  }
}

function countsBytes(socket: Duplex): socket is Duplex & Counted {
  return 'bytesRead' in socket && 'bytesWritten' in socket
}
