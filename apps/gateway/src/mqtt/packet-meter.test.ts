import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPacketMeter } from './packet-meter.ts'

function packet(bodyBytes: number): Buffer {
  const length: number[] = []
  for (let left = bodyBytes; ; left >>= 7) {
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left)
    if (left <= 0x7f) break
  }
  return Buffer.concat([Buffer.from([0x30, ...length]), Buffer.alloc(bodyBytes, 0xff)])
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size))
}

describe('the size of packets', () => {
  it('G13 lets packets up to the limit pass, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 })), fc.integer({ min: 1, max: 64 }), (sizes, piece) => {
        const meter = createPacketMeter(300)

        expect(cut(Buffer.concat(sizes.map(packet)), piece).every(meter)).toBe(true)
      }),
    )
  })

  it('G13 stops at the header of a packet over the limit, before its body', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 })), fc.integer({ min: 301, max: 2 ** 20 }), (sizes, over) => {
        const meter = createPacketMeter(300)
        const header = packet(over).subarray(0, 4)

        expect(cut(Buffer.concat([...sizes.map(packet), header]), 1).every(meter)).toBe(false)
      }),
    )
  })

  it('G13 stops at a length field that does not end', () => {
    expect(createPacketMeter(300)(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x80]))).toBe(false)
  })
})
