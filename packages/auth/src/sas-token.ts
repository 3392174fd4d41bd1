import { createHmac, timingSafeEqual } from 'node:crypto'

/** The members of a shared access signature. */
export interface SasToken {
  /** `sr` exactly as received, still percent-encoded: the signature covers this text. */
  readonly resource: string
  /** `sig`, percent-decoded: base64. */
  readonly signature: string
  /** `se` exactly as received: seconds since 1970 in decimal. */
  readonly expiry: string
  /** `skn`; null for a token signed with a device's own key. */
  readonly policyName: string | null
}

export type SasVerdict =
  | { ok: true; expiresAtMs: number }
  | { ok: false; reason: 'expired' | 'signature' | 'resource' | 'malformed' }

/**
 * Reads an Authorization header or an MQTT password: with or without the `SharedAccessSignature ` prefix, members in
 * any order, unknown members ignored. Null when `sr`, `sig` or `se` is missing, empty, given twice or wrongly encoded.
 */
export function parseSasToken(text: string): SasToken | null {
  const members = new Map<string, string>()
  for (const member of text.replace(/^SharedAccessSignature +/i, '').split('&')) {
    const equals = member.indexOf('=')
    const name = member.slice(0, equals)
    if (equals < 1 || members.has(name)) return null
    members.set(name, member.slice(equals + 1))
  }
  const resource = members.get('sr')
  const signature = decode(members.get('sig') ?? '')
  const expiry = members.get('se')
  const policyName = decode(members.get('skn') ?? '')
  if (!resource || !signature || !expiry || policyName === null) return null
  // Some clients send an empty skn with a device's key.
  return { resource, signature, expiry, policyName: policyName === '' ? null : policyName }
}

/** Makes a token. `resource` is not encoded: `myhub`, `myhub/devices/d1`. The expiry is rounded up to a full second. */
export function signSasToken(options: {
  resource: string
  /** Base64. */
  key: string
  expiresAt: Date
  policyName?: string
}): string {
  const resource = encodeURIComponent(options.resource)
  const expiry = String(Math.ceil(options.expiresAt.getTime() / 1000))
  const signature = encodeURIComponent(sign(options.key, resource, expiry))
  const policy = options.policyName === undefined ? '' : `&skn=${encodeURIComponent(options.policyName)}`
  return `SharedAccessSignature sr=${resource}&sig=${signature}&se=${expiry}${policy}`
}

/**
 * Judges a token for one resource of the hub. Keys are tried in constant time, all of them; an empty key verifies nothing.
 *
 * `path` has the segments of the resource, not encoded: none for the service, `['devices', 'd1']` for a device. The decoded `sr` must
 * be one of `hostNames` (any letter case, with or without `:port`) and the first segments of `path`. So `myhub/devices` covers a
 * device, and `myhub/devices/d` does not cover `d1`.
 *
 * The token is accepted until `skewMs` after `se`, for clients whose clocks run behind. `expiresAtMs` is that moment: a connection
 * ends then, because the same token would not open the next one. It may be too large for a Date or a timer: some clients put milliseconds in `se`.
 */
export function verifySasToken(
  token: SasToken,
  options: {
    keys: readonly string[]
    hostNames: readonly string[]
    path: readonly string[]
    nowMs: number
    skewMs: number
  },
): SasVerdict {
  const resource = decode(token.resource)
  if (resource === null || !/^\d+$/.test(token.expiry)) return { ok: false, reason: 'malformed' }
  if (!covers(resource, { ...options, isOwn: token.policyName === null })) return { ok: false, reason: 'resource' }
  if (!isSigned(token, options.keys)) return { ok: false, reason: 'signature' }
  const expiresAtMs = Number(token.expiry) * 1000 + options.skewMs
  return expiresAtMs > options.nowMs ? { ok: true, expiresAtMs } : { ok: false, reason: 'expired' }
}

/**
 * Ids may have percent signs: `a%23b` in a decoded token is the id `a%23b`, and never `a#b`. But some device SDKs encode the id, and
 * then encode the whole again, and old instructions write the whole in lower case. A token that is signed with the device's own key
 * (`isOwn`) opens no other device, so for it each reading is good. A slash may end the resource.
 */
function covers(
  resource: string,
  { hostNames, path, isOwn }: { hostNames: readonly string[]; path: readonly string[]; isOwn: boolean },
): boolean {
  const [authority = '', ...prefix] = resource.replace(/\/$/, '').split('/')
  const host = authority.replace(/:\d+$/, '').toLowerCase()
  const isSame = (named: string, segment = '') => named === segment || (isOwn && isReadAs(named, segment))
  return (
    hostNames.some((name) => name.toLowerCase() === host) &&
    prefix.length <= path.length &&
    prefix.every((named, index) => isSame(named, path[index]))
  )
}

function isReadAs(named: string, segment: string): boolean {
  return [named, decode(named)].some((reading) => reading?.toLowerCase() === segment.toLowerCase())
}

function isSigned(token: SasToken, keys: readonly string[]): boolean {
  const received = Buffer.from(token.signature)
  // Compared as text, because base64 of 32 bytes has spare bits: several texts decode to the same signature.
  const matching = keys.filter((key) => {
    const expected = Buffer.from(sign(key, token.resource, token.expiry))
    const isUsable = Buffer.byteLength(key, 'base64') > 0
    return isUsable && received.length === expected.length && timingSafeEqual(received, expected)
  })
  return matching.length > 0
}

function sign(key: string, resource: string, expiry: string): string {
  return createHmac('sha256', Buffer.from(key, 'base64')).update(`${resource}\n${expiry}`).digest('base64')
}

/** Null when a percent sign is followed by anything but the code of a character. */
function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
