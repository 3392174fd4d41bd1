import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limitConnect } from './packets.ts'

function keepAliveOf(keepalive: number): number {
  const packet = { cmd: 'connect' as const, clientId: 'd1', protocolVersion: 4 as const, keepalive }
  limitConnect(packet)
  return packet.keepalive
}

describe('the keep-alive', () => {
  it('G9 allows a silence of at most 1767 seconds, also to a device that asks for none', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 65_535 }), (seconds) => {
        const allowed = keepAliveOf(seconds) * 1.5

        expect(allowed).toBe(seconds === 0 ? 1767 : Math.min(seconds * 1.5, 1767))
      }),
    )
  })
})
