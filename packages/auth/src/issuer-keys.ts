import { type CryptoKey, createLocalJWKSet, errors, type JWSHeaderParameters } from 'jose'

/** The issuer cannot be reached, or does not answer as one should: no verdict on the token. */
export class IssuerError extends Error {
  override readonly name = 'IssuerError'
}

/**
 * The key that a token's header names. One without `kid` names the only key for its algorithm.
 * @throws IssuerError when the issuer's keys cannot be had now, and JWKSNoMatchingKey when they are had and this is none of them.
 */
export type FindKey = (header: JWSHeaderParameters, nowMs: number) => Promise<CryptoKey>

type Keys = ReturnType<typeof createLocalJWKSet>

/** For the configuration and the keys together. */
const answerMsMax = 5_000
const answerBytesMax = 256 * 1024
/** Keys that are this old are read again before they are used. */
const keysMaxAgeMs = 10 * 60_000
/** So much longer they are good while the issuer fails: its outage must not lock out all who hold its tokens. */
const graceMs = 60 * 60_000
/** From one reading to the next, whoever asks: an issuer that hangs, and tokens of unknown keys, cost no more. */
const readAgainMs = 30_000
/** As long as there are no keys, so that nobody stays out for half a minute because of one lost packet. */
const readFirstAgainMs = 10_000

/** Reads the issuer's configuration and keys when the first token comes. `onFailure` hears of every reading that fails. */
export function createIssuerKeys(issuer: string, onFailure: (error: IssuerError) => void): FindKey {
  /** The last reading, ended or not. */
  let reading: { readonly keys: Promise<Keys>; readonly atMs: number } | null = null
  let known: { readonly keys: Keys; readonly readAtMs: number } | null = null

  function isDue(nowMs: number): boolean {
    return reading === null || nowMs >= reading.atMs + (known === null ? readFirstAgainMs : readAgainMs)
  }

  /** What came of the last reading, or of another one when it is time. */
  function read(nowMs: number): Promise<Keys> {
    if (reading !== null && !isDue(nowMs)) return reading.keys
    const keys = readKeys(issuer)
    keys.then((latest) => {
      known = { keys: latest, readAtMs: nowMs }
    }, onFailure)
    reading = { keys, atMs: nowMs }
    return keys
  }

  function knownKeys(nowMs: number, maxAgeMs: number): Keys | null {
    return known !== null && nowMs < known.readAtMs + maxAgeMs ? known.keys : null
  }

  async function currentKeys(nowMs: number): Promise<Keys> {
    const fresh = knownKeys(nowMs, keysMaxAgeMs)
    if (fresh !== null) return fresh
    const lasting = knownKeys(nowMs, keysMaxAgeMs + graceMs)
    if (lasting === null) return read(nowMs)
    // One asks and waits; the others go on meanwhile.
    return isDue(nowMs) ? read(nowMs).catch(() => lasting) : lasting
  }

  return async function findKey(header, nowMs) {
    if (header.kid !== undefined && typeof header.kid !== 'string') throw new errors.JWSInvalid('"kid" must be a text')
    const keys = await currentKeys(nowMs)
    try {
      return await keys(header)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    }
    // It may be newer than those that are known.
    return (await read(nowMs))(header)
  }
}

/** @throws IssuerError */
async function readKeys(issuer: string): Promise<Keys> {
  const signal = AbortSignal.timeout(answerMsMax)
  let address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  try {
    const { issuer: named, jwks_uri: keysAddress } = Object(await readJson(address, signal))
    // Another's configuration would put another's keys in the place of the issuer's.
    if (named !== issuer) throw new TypeError(`expected the issuer ${issuer}, got ${named}`)
    const url = new URL(String(keysAddress))
    if (url.protocol !== 'https:' && !issuer.startsWith('http:')) throw new TypeError('expected https in jwks_uri')
    address = url.href
    return createLocalJWKSet(Object(await readJson(address, signal)))
  } catch (cause) {
    throw new IssuerError(`${address} of the token issuer cannot be read`, { cause })
  }
}

/** The whole answer, which must not be larger than any issuer's. */
async function readJson(address: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(address, { redirect: 'manual', signal })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new TypeError(`expected status 200, got ${response.status}`)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw new RangeError(`the answer is over ${answerBytesMax} bytes`)
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString())
}
