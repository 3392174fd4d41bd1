import { EventEmitter } from 'node:events'
import { limits } from '@muster/contract'
import type { Client, ConnectPacket, PublishPacket, SubscribePacket, UnsubscribePacket } from 'aedes'
import { aliasOf } from '../topics/filter-alias.ts'
import { createPacketMeter } from './packet-meter.ts'

/** The members of a parsed packet that the rules here use. */
type ParsedPacket = { readonly length?: number; readonly messageId?: number } & (
  | ConnectPacket
  | PublishPacket
  | SubscribePacket
  | UnsubscribePacket
  | { readonly cmd: 'pingreq' | 'disconnect' | 'puback' | 'pubrec' | 'pubrel' | 'pubcomp' | 'reserved' }
)

/** One and a half times this is the longest silence that the hub allows, 1767 s. */
const keepAliveSecondsMax = Math.floor(limits.keepAliveSecondsMax / 1.5)

/** CONNACK, no session present, return code 1: not a protocol level that the hub speaks. */
const wrongLevel = Buffer.from([0x20, 2, 0, 1])

/**
 * Checks the rules for which aedes has no hook. It sees each piece of bytes before the parser, and each packet right after the
 * parser.
 */
export function watchPackets(
  client: Client,
  on: { tooLarge: () => void; malformed: () => void; disconnect: () => void },
): void {
  let isWithinLimit = createPacketMeter(limits.mqttPacketBytes)
  // aedes reads the stream itself. This listener still gets every piece first.
  client.conn.on('data', (piece: Buffer) => {
    if (!isWithinLimit(piece)) on.tooLarge()
  })

  // Only in aedes' own parser can a SUBSCRIBE be changed before its answer is made.
  const parser: unknown = Reflect.get(client, '_parser')
  if (!(parser instanceof EventEmitter)) throw new TypeError('this version of aedes has no parser to watch')
  parser.prependListener('packet', (packet: ParsedPacket) => {
    if (isMalformed(packet)) {
      on.malformed()
      // aedes itself cuts a client that sends an unknown type of packet. After a cut here, aedes would not expect this packet.
      Object.assign(packet, { cmd: 'reserved' })
    }
    if (packet.cmd === 'connect') {
      limitConnect(packet)
      holdBack(client, parser)
      // Bytes that were held back come here again, and begin with a packet.
      isWithinLimit = createPacketMeter(limits.mqttPacketBytes)
    }
    if (packet.cmd === 'subscribe') prepareSubscribe(packet)
    if (packet.cmd === 'disconnect') on.disconnect()
  })
  answerWrongLevels(client, parser)
}

/**
 * [MQTT-3.1.4-5] A device need not wait for its CONNACK. Packets that it sends before are read after the CONNACK, when aedes resumes
 * the client. So packets of an unknown client have no effect, and take no more memory than the buffer of the stream. aedes itself
 * would pause later, and would queue packets; one piece of bytes may have a hundred thousand.
 */
function holdBack(client: Client, parser: EventEmitter): void {
  const unread: unknown = Reflect.get(parser, '_list')
  if (!isPausable(client) || !isByteList(unread)) throw new TypeError('this version of aedes cannot be held back')
  client.pause()
  const rest = unread.slice()
  unread.consume(rest.length)
  if (rest.length > 0) client.conn.unshift(rest)
}

/** A client of aedes, with a method that its types lack. */
function isPausable(client: Client): client is Client & { pause(): void } {
  return 'pause' in client
}

/** Bytes that the parser has got and has not read. */
interface ByteList {
  slice(): Buffer
  consume(count: number): void
}

function isByteList(value: unknown): value is ByteList {
  return typeof value === 'object' && value !== null && 'slice' in value && 'consume' in value
}

/** [MQTT-3.1.2-2] The parser knows only the levels 3, 4 and 5. A client with another level also gets an answer before its end. */
function answerWrongLevels(client: Client, parser: EventEmitter): void {
  parser.removeAllListeners('error')
  parser.on('error', (error: Error) => {
    const fail = () => client.emit('error', error)
    if (error.message === 'Invalid protocol version') client.conn.end(wrongLevel, fail)
    else fail()
  })
}

export function limitConnect(packet: ConnectPacket & { readonly bridgeMode?: boolean }): void {
  packet.keepalive = Math.min(packet.keepalive || keepAliveSecondsMax, keepAliveSecondsMax)
  // aedes also accepts MQTT 3.1 and bridges. It refuses levels above 3.1.1 with return code 1.
  if (packet.protocolVersion !== 4 || packet.protocolId !== 'MQTT' || packet.bridgeMode) packet.protocolVersion = 5
}

function prepareSubscribe(packet: SubscribePacket): void {
  for (const [index, subscription] of packet.subscriptions.entries()) {
    if (subscription.qos === 2) subscription.qos = 1
    subscription.topic = aliasOf(subscription.topic, index)
  }
}

/** Faults that the parser lets pass, although MQTT 3.1.1 says that they end the connection. */
function isMalformed(packet: ParsedPacket): boolean {
  switch (packet.cmd) {
    case 'connect':
      return hasBadText([packet.clientId, packet.username, packet.will?.topic]) || Number(packet.will?.qos) === 3
    case 'publish':
      // The parser may have read the packet id from the next packet.
      return hasBadText([packet.topic]) || (packet.qos > 0 && (hasNoId(packet) || isCutShort(packet)))
    case 'subscribe':
      // [MQTT-3.8.3-3] at least one filter; [MQTT-2.3.1-1] a packet id that is not 0.
      return (
        hasNoId(packet) ||
        packet.subscriptions.length === 0 ||
        hasBadText(packet.subscriptions.map(({ topic }) => topic))
      )
    case 'unsubscribe':
      return hasNoId(packet) || packet.unsubscriptions.length === 0 || hasBadText(packet.unsubscriptions)
    case 'pingreq':
    case 'disconnect':
      return packet.length !== 0
    case 'reserved':
      return true
    default:
      return hasNoId(packet) || packet.length !== 2
  }
}

/**
 * [MQTT-1.5.3-1] [MQTT-1.5.3-2] No text may have NUL, or bytes that are not UTF-8; the parser replaces such bytes by U+FFFD. All texts
 * of the contract are ASCII, with other characters percent-encoded, so nobody needs to send U+FFFD itself.
 */
function hasBadText(texts: readonly (string | undefined)[]): boolean {
  return texts.some((text) => text !== undefined && (text.includes('\0') || text.includes('\uFFFD')))
}

function hasNoId({ messageId = 0 }: ParsedPacket): boolean {
  return messageId < 1
}

function isCutShort(packet: PublishPacket & { readonly length?: number }): boolean {
  const lengthFieldBytes = 2
  const packetIdBytes = 2
  return lengthFieldBytes + Buffer.byteLength(packet.topic) + packetIdBytes > Number(packet.length)
}
