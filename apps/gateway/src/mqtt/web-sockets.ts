import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { limits } from '@muster/contract'
import { createWebSocketStream, WebSocketServer } from 'ws'

/** The path for devices behind a proxy that allows only HTTPS. */
export const webSocketPath = '/$iothub/websocket'

/** The header of the largest packet. */
const packetHeaderBytes = 5

/** Carries MQTT in WebSocket messages. AMQP clients use the same path, and are refused by their subprotocol. */
export function acceptWebSockets(
  accept: (stream: Duplex, request: IncomingMessage) => void,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    handleProtocols: () => 'mqtt',
    maxPayload: limits.mqttPacketBytes + packetHeaderBytes,
  })
  return (request, socket, head) => {
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
    if (!offered.includes('mqtt')) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    server.handleUpgrade(request, socket, head, (webSocket) => accept(createWebSocketStream(webSocket), request))
  }
}
