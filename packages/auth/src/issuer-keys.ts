import { type CryptoKey, createLocalJWKSet, errors, type JWSHeaderParameters } from 'jose'

/** The issuer cannot be reached, or gives a wrong answer. There is no verdict on the token. */
export class IssuerError extends Error {
  override readonly name = 'IssuerError'
}

/**
 * The key that the header of a token names. A header without `kid` names the only key for its algorithm.
 * @throws IssuerError when the keys of the issuer are not available now, JWKSNoMatchingKey when none of them is the named one
 */
export type FindKey = (header: JWSHeaderParameters, nowMs: number) => Promise<CryptoKey>

type Keys = ReturnType<typeof createLocalJWKSet>

/** Time for the configuration and the keys together. */
const answerMsMax = 5_000
const answerBytesMax = 256 * 1024
/** Older keys are read again before use. */
const keysMaxAgeMs = 10 * 60_000
/** While the issuer fails, keys stay good for this much longer: its outage must not lock out everybody with its tokens. */
const graceMs = 60 * 60_000
/** The least time between two readings, so that an issuer that hangs and tokens of unknown keys cost little. */
const readAgainMs = 30_000
/** The same while there are no keys: one lost packet must not lock everybody out for half a minute. */
const readFirstAgainMs = 10_000

/** Reads the configuration and keys of the issuer when the first token comes. `onFailure` is called for every failed reading. */
export function createIssuerKeys(issuer: string, onFailure: (error: IssuerError) => void): FindKey {
  /** The last reading, also while it is under way. */
  let reading: { readonly keys: Promise<Keys>; readonly atMs: number } | null = null
  let known: { readonly keys: Keys; readonly readAtMs: number } | null = null

  function isDue(nowMs: number): boolean {
    return reading === null || nowMs >= reading.atMs + (known === null ? readFirstAgainMs : readAgainMs)
  }

  /** The result of the last reading, or of a new one when it is time for it. */
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
    // One request reads and waits. The others use the old keys.
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
    // The key may be newer than the known ones.
    return (await read(nowMs))(header)
  }
}

/** @throws IssuerError */
async function readKeys(issuer: string): Promise<Keys> {
  const signal = AbortSignal.timeout(answerMsMax)
  let address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  try {
    const { issuer: named, jwks_uri: keysAddress } = Object(await readJson(address, signal))
    // The configuration of another issuer would bring the keys of another issuer.
    if (named !== issuer) throw new TypeError(`expected the issuer ${issuer}, got ${named}`)
    const url = new URL(String(keysAddress))
    if (url.protocol !== 'https:' && !issuer.startsWith('http:')) throw new TypeError('expected https in jwks_uri')
    address = url.href
    return createLocalJWKSet(Object(await readJson(address, signal)))
  } catch (cause) {
    throw new IssuerError(`${address} of the token issuer cannot be read`, { cause })
  }
}

/** The whole answer, up to a size that no issuer needs. */
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
