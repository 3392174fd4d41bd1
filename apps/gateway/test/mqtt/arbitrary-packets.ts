import type { TestIdentity } from '../device.ts'
import { connectPacket, packet, pingRequest, publishPacket, subscribePacket, text, uint16 } from '../raw.ts'

/** Numbers from 0 to 1 that follow from a seed, so that what they made can be made again. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What a hostile client sends on one connection: good packets, good ones with bytes changed, and noise. */
export function arbitraryPackets(device: TestIdentity, random: () => number): Buffer[] {
  const upTo = (count: number) => Math.floor(random() * count)
  const bytes = (count: number) => Buffer.from(Array.from({ length: count }, () => upTo(256)))
  const oneOf = <Value>(values: readonly [Value, ...Value[]]): Value => values[upTo(values.length)] ?? values[0]

  const { identity } = device
  const topic = () =>
    oneOf([
      '$iothub/twin/GET/?$rid=1',
      '$iothub/twin/PATCH/properties/reported/?$rid=1',
      '$iothub/methods/res/200/?$rid=1',
      `devices/${identity}/messages/events/a=b`,
      'devices/honest-0/messages/events/',
      bytes(upTo(30)),
    ])
  const filter = () =>
    oneOf([
      '$iothub/twin/res/#',
      '$iothub/methods/POST/#',
      '$iothub/twin/PATCH/properties/desired/#',
      '#',
      bytes(upTo(20)),
    ])
  const payload = () => oneOf(['', ' ', '{"a":1}', '{"a":{"b":null}}', '[[[[', '\u0000', 'x'.repeat(upTo(2_000))])
  const good = () =>
    oneOf([
      () => connectPacket(device),
      () => subscribePacket([filter(), filter()], { qos: upTo(4), packetId: upTo(3) }),
      () => publishPacket(topic(), { payload: payload(), flags: upTo(16), packetId: upTo(3) }),
      () => packet(0xa2, uint16(upTo(3)), text(filter())),
      () => packet(oneOf([0x40, 0x50, 0x62, 0x70]), uint16(upTo(3))),
      () => pingRequest,
      () => packet(0xe0),
    ])()
  const mutated = () => {
    const whole = Buffer.from(good())
    for (let changes = 1 + upTo(3); changes > 0; changes -= 1) whole[upTo(whole.length)] = upTo(256)
    return random() < 0.3 ? whole.subarray(0, upTo(whole.length)) : whole
  }

  const packets = Array.from({ length: 1 + upTo(12) }, () => oneOf([good, good, mutated, () => bytes(upTo(60))])())
  return random() < 0.8 ? [connectPacket(device), ...packets] : packets
}
