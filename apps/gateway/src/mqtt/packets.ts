import { EventEmitter } from 'node:events'
import { limits } from '@muster/contract'
import type { Client, ConnectPacket, PublishPacket, SubscribePacket, UnsubscribePacket } from 'aedes'
import { aliasOf } from '../topics/filter-alias.ts'
import { createPacketMeter } from './packet-meter.ts'

/** What the parser hands on, as far as the rules here go. */
type ParsedPacket = { readonly length?: number; readonly messageId?: number } & (
  | ConnectPacket
  | PublishPacket
  | SubscribePacket
  | UnsubscribePacket
  | { readonly cmd: 'pingreq' | 'disconnect' | 'puback' | 'pubrec' | 'pubrel' | 'pubcomp' | 'reserved' }
)

/** One and a half times it is the longest silence that the hub allows, 1767 s. */
const keepAliveSecondsMax = Math.floor(limits.keepAliveSecondsMax / 1.5)

/** CONNACK, no session present, return code 1: not a protocol level that the hub speaks. */
const wrongLevel = Buffer.from([0x20, 2, 0, 1])

/**
 * Puts the rules of this contract before aedes, which has no hook for them: it sees each packet as soon as it is parsed, and
 * each piece of bytes before.
 */
export function watchPackets(
  client: Client,
  on: { tooLarge: () => void; malformed: () => void; disconnect: () => void },
): void {
  let isWithinLimit = createPacketMeter(limits.mqttPacketBytes)
  // aedes reads by itself; a stream that is read so gives every piece to this listener first.
  client.conn.on('data', (piece: Buffer) => {
    if (!isWithinLimit(piece)) on.tooLarge()
  })

  // aedes' own parser, the only place where a SUBSCRIBE can be changed before its answer is made.
  const parser: unknown = Reflect.get(client, '_parser')
  if (!(parser instanceof EventEmitter)) throw new TypeError('this version of aedes has no parser to watch')
  parser.prependListener('packet', (packet: ParsedPacket) => {
    if (isMalformed(packet)) {
      on.malformed()
      // aedes cuts whoever sends a packet of a type that it does not know; cut here, it would not expect what it is handed now.
      Object.assign(packet, { cmd: 'reserved' })
    }
    if (packet.cmd === 'connect') {
      limitConnect(packet)
      holdBack(client, parser)
      // What is held back comes by once more, and begins with a packet.
      isWithinLimit = createPacketMeter(limits.mqttPacketBytes)
    }
    if (packet.cmd === 'subscribe') prepareSubscribe(packet)
    if (packet.cmd === 'disconnect') on.disconnect()
  })
  answerWrongLevels(client, parser)
}

/**
 * [MQTT-3.1.4-5] A device need not wait for its CONNACK. What it sends before is read after that, when aedes resumes the client:
 * nothing that comes from whoever has not proven yet who it is has an effect, and it takes no more memory than the stream's
 * buffer. aedes itself would pause later, and would queue packets, of which a piece may hold a hundred thousand.
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

/** What the parser has been given and has not read. */
interface ByteList {
  slice(): Buffer
  consume(count: number): void
}

function isByteList(value: unknown): value is ByteList {
  return typeof value === 'object' && value !== null && 'slice' in value && 'consume' in value
}

/** [MQTT-3.1.2-2] The parser knows no levels but 3, 4 and 5; whoever asks for another one hears so before the end, too. */
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
  // aedes takes MQTT 3.1 and bridges too, and refuses what is above 3.1.1 with return code 1.
  if (packet.protocolVersion !== 4 || packet.protocolId !== 'MQTT' || packet.bridgeMode) packet.protocolVersion = 5
}

function prepareSubscribe(packet: SubscribePacket): void {
  for (const [index, subscription] of packet.subscriptions.entries()) {
    if (subscription.qos === 2) subscription.qos = 1
    subscription.topic = aliasOf(subscription.topic, index)
  }
}

/** What the parser lets pass although MQTT 3.1.1 has the connection end for it. */
function isMalformed(packet: ParsedPacket): boolean {
  switch (packet.cmd) {
    case 'connect':
      return hasBadText([packet.clientId, packet.username, packet.will?.topic]) || Number(packet.will?.qos) === 3
    case 'publish':
      // The parser may have taken the packet id from the packet that follows.
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
 * [MQTT-1.5.3-1] [MQTT-1.5.3-2] No text holds a NUL, or bytes that are no UTF-8, for which the parser has put U+FFFD. All texts
 * of the contract are ASCII, other characters percent-encoded, so that nobody needs to send U+FFFD itself.
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
