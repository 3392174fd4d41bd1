/**
 * Follows the framing of MQTT over the bytes of one connection. The returned function gets each piece as it arrives, however the
 * pieces are cut. It returns false when a packet announces a body of over `maxBytes`. The parser itself would collect up to 256 MB.
 */
export function createPacketMeter(maxBytes: number): (piece: Buffer) => boolean {
  /** Bytes of the current body that are still to come. */
  let body = 0
  /** The length field that is being read, seven bits in each byte. Null: the next byte begins a packet. */
  let length: { value: number; shift: number } | null = null

  return (piece) => {
    let at = 0
    while (at < piece.length) {
      if (body > 0) {
        const skipped = Math.min(body, piece.length - at)
        body -= skipped
        at += skipped
        continue
      }
      const byte = piece.readUInt8(at)
      at += 1
      if (length === null) {
        length = { value: 0, shift: 0 }
        continue
      }
      length = { value: length.value + (byte & 0x7f) * 2 ** length.shift, shift: length.shift + 7 }
      if (length.value > maxBytes || length.shift > 28) return false
      if (byte < 0x80) {
        body = length.value
        length = null
      }
    }
    return true
  }
}
