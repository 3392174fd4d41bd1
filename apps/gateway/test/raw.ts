import type { Duplex } from 'node:stream'
import { connect } from 'node:tls'
import { eventually } from '@muster/testkit'
import { createWebSocketStream, WebSocket } from 'ws'
import { type TestIdentity, tokenOf } from './device.ts'
import type { TestGateway } from './hub.ts'

/** A connection whose every byte is the test's. */
export interface RawClient {
  readonly stream: Duplex
  send(...packets: readonly Buffer[]): void
  /** Waits until so many whole packets have come, and returns all that have. */
  receive(count: number): Promise<Buffer[]>
  /** Resolves with all bytes that came, once the hub has closed. */
  readonly closed: Promise<Buffer>
}

export function openRaw(gateway: TestGateway, transport: 'TLS' | 'WebSocket' = 'TLS'): RawClient {
  const stream = transport === 'TLS' ? overTls(gateway) : overWebSocket(gateway)
  let received: Buffer = Buffer.alloc(0)
  stream.on('data', (piece: Buffer) => {
    received = Buffer.concat([received, piece])
  })
  // A connection that is cut may be reset; what matters is what came before.
  stream.on('error', () => {})
  const closed = new Promise<Buffer>((resolve) => stream.once('close', () => resolve(received)))
  return {
    stream,
    send: (...packets) => void stream.write(Buffer.concat(packets)),
    receive: (count) =>
      eventually(() => {
        const packets = split(received)
        if (packets.length < count) throw new Error(`${packets.length} of ${count} packets have come`)
        return packets
      }),
    closed,
  }
}

function overTls({ hub, mqttsPort }: TestGateway): Duplex {
  return connect({ host: 'localhost', port: mqttsPort, ca: hub.front.tls.ca }).setNoDelay()
}

function overWebSocket({ hub, httpsPort }: TestGateway): Duplex {
  const url = `wss://localhost:${httpsPort}/$iothub/websocket`
  const stream = createWebSocketStream(new WebSocket(url, ['mqtt'], { ca: hub.front.tls.ca }))
  // Of which the hub has closed its half: a socket closes by itself then.
  return stream.once('end', () => stream.destroy())
}

/** A control packet with any first byte and any body. */
export function packet(firstByte: number, ...body: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(body)
  return Buffer.concat([Buffer.from([firstByte, ...lengthField(bytes.length)]), bytes])
}

/** A length-prefixed text, or any bytes in its place. */
export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

/** A good CONNECT with a token and a persistent session, but for what is changed. */
export function connectPacket(
  device: TestIdentity,
  {
    protocol = 'MQTT',
    level = 4,
    flags = 0xc0,
    keepAlive = 60,
    clientId = device.identity,
    userName = `localhost/${device.identity}/?api-version=2021-04-12`,
    afterKeepAlive = Buffer.alloc(0),
  }: Partial<{
    protocol: string
    level: number
    flags: number
    keepAlive: number
    clientId: string | Buffer
    userName: string | Buffer
    afterKeepAlive: Buffer
  }> = {},
): Buffer {
  const header = [text(protocol), Buffer.from([level, flags]), uint16(keepAlive), afterKeepAlive]
  return packet(0x10, ...header, text(clientId), text(userName), text(tokenOf(device)))
}

export function subscribePacket(filters: readonly (string | Buffer)[], { packetId = 1, qos = 0 } = {}): Buffer {
  return packet(0x82, uint16(packetId), ...filters.flatMap((filter) => [text(filter), Buffer.from([qos])]))
}

/** At QoS 1 unless the flags of the first byte say otherwise. */
export function publishPacket(
  topic: string | Buffer,
  { payload = '', flags = 0x02, packetId = 1 as number | null } = {},
): Buffer {
  const id = packetId === null ? Buffer.alloc(0) : uint16(packetId)
  return packet(0x30 | flags, text(topic), id, Buffer.from(payload))
}

export const pingRequest = packet(0xc0)
export const pingResponse = packet(0xd0)

export function connack(returnCode: number, sessionPresent = 0): Buffer {
  return packet(0x20, Buffer.from([sessionPresent, returnCode]))
}

function lengthField(length: number): number[] {
  return length < 0x80 ? [length] : [(length & 0x7f) | 0x80, ...lengthField(length >> 7)]
}

/** The whole packets at the beginning of these bytes. */
function split(bytes: Buffer): Buffer[] {
  let end = 1
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[end]
    if (byte === undefined) return []
    end += 1
    length += (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  end += length
  return bytes.length < end ? [] : [bytes.subarray(0, end), ...split(bytes.subarray(end))]
}
