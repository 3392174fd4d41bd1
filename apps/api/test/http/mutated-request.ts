/** Numbers from 0 to 1, the same ones for the same seed. */
export type Random = () => number

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const whole = (random: Random, below: number) => Math.floor(random() * below)
const oneOf = <Value>(random: Random, values: readonly Value[]): Value | undefined =>
  values[whole(random, values.length)]

/** What parsers of requests and of bodies stumble over. */
const snags = [
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  '%',
  '%00',
  '%ff',
  '%2e%2e%2f',
  '?',
  '#',
  '//',
  '&api-version=2016-11-14',
  'Content-Length: 5\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity, chunked\r\n',
  'Expect: 100-continue\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\n',
  'Connection: close, keep-alive\r\n',
  'If-Match: "\r\n',
  'Host: [::1\r\n',
  'ffffffffffffffff\r\n',
  '0\r\n\r\n',
  '{',
  '[',
  '"',
  '\\u0000',
  '\\ud800',
  '1e999',
  '-0',
  'null',
  '{"__proto__":{"a":1}}',
  '\u{1F600}',
  'x'.repeat(20_000),
  '['.repeat(2_000),
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00',
] as const

/** One of the requests, with one to six things wrong with it: anywhere, or in its body alone, to get past the door. */
export function mutatedRequest(random: Random, requests: readonly string[]): Buffer {
  const request = oneOf(random, requests) ?? ''
  const [head = '', body = ''] = request.split('\r\n\r\n', 2)
  if (body === '' || random() < 0.4) return mutated(random, Buffer.from(request), requests)
  const bodies = requests.map((other) => other.split('\r\n\r\n', 2)[1] ?? '')
  const wrong = mutated(random, Buffer.from(body), bodies)
  const fitting = head.replace(/Content-Length: \d+/, `Content-Length: ${wrong.length}`)
  return Buffer.concat([Buffer.from(`${fitting}\r\n\r\n`), wrong])
}

function mutated(random: Random, bytes: Buffer, others: readonly string[]): Buffer {
  let changed = bytes
  for (let change = 1 + whole(random, 6); change > 0; change -= 1) changed = mutate(random, changed, others)
  return changed
}

function mutate(random: Random, bytes: Buffer, requests: readonly string[]): Buffer {
  const [from, to] = [whole(random, bytes.length + 1), whole(random, bytes.length + 1)].sort((a, b) => a - b)
  const [before, middle, after] = [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)]
  switch (whole(random, 7)) {
    case 0:
      return Buffer.concat([before, Buffer.from(oneOf(random, snags) ?? ''), bytes.subarray(from)])
    case 1:
      return Buffer.concat([before, Buffer.from([whole(random, 256)]), bytes.subarray((from ?? 0) + 1)])
    case 2:
      return Buffer.concat([before, after])
    case 3:
      return Buffer.concat([before, middle, middle, after])
    case 4:
      return Buffer.concat([before, Buffer.from(oneOf(random, requests) ?? '').subarray(from)])
    case 5:
      return before
    default:
      return Buffer.concat([before, Buffer.from(middle.toString('latin1').toUpperCase(), 'latin1'), after])
  }
}

/** The bytes in pieces, as a network may cut them. */
export function* inPieces(random: Random, bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; ) {
    const end = start + 1 + whole(random, random() < 0.5 ? 40 : bytes.length)
    yield bytes.subarray(start, end)
    start = end
  }
}
