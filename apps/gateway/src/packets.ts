import { EventEmitter } from 'node:events'
import { limits } from '@muster/contract'
import type { Client, ConnectPacket, SubscribePacket } from 'aedes'
import { createPacketMeter } from './packet-meter.ts'

type WatchedPacket = ConnectPacket | SubscribePacket | { readonly cmd: 'disconnect' }

/** One and a half times it is the longest silence that the hub allows, 1767 s. */
const keepAliveSecondsMax = Math.floor(limits.keepAliveSecondsMax / 1.5)

/**
 * Puts the rules of this contract before aedes, which has no hook for them: it sees each packet as soon as it is parsed, and
 * each piece of bytes before.
 */
export function watchPackets(client: Client, on: { tooLarge: () => void; disconnect: () => void }): void {
  const isWithinLimit = createPacketMeter(limits.mqttPacketBytes)
  // aedes reads by itself; a stream that is read so gives every piece to this listener first.
  client.conn.on('data', (piece: Buffer) => {
    if (!isWithinLimit(piece)) on.tooLarge()
  })

  // aedes' own parser, the only place where a SUBSCRIBE can be changed before its answer is made.
  const parser: unknown = Reflect.get(client, '_parser')
  if (!(parser instanceof EventEmitter)) throw new TypeError('this version of aedes has no parser to watch')
  parser.prependListener('packet', (packet: WatchedPacket) => {
    if (packet.cmd === 'connect') limitConnect(packet)
    if (packet.cmd === 'subscribe') limitSubscribe(packet)
    if (packet.cmd === 'disconnect') on.disconnect()
  })
}

export function limitConnect(packet: ConnectPacket): void {
  packet.keepalive = Math.min(packet.keepalive || keepAliveSecondsMax, keepAliveSecondsMax)
  // aedes takes MQTT 3.1 too, and refuses what is above 3.1.1 with return code 1.
  if (packet.protocolVersion === 3) packet.protocolVersion = 5
}

function limitSubscribe(packet: SubscribePacket): void {
  for (const subscription of packet.subscriptions) {
    if (subscription.qos === 2) subscription.qos = 1
  }
}
