import { createRemoteJWKSet, customFetch, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { type Permission, permissions } from './policies.ts'

export type BearerVerdict =
  | {
      readonly ok: true
      /** Who the token was made for: the client, or else the subject. */
      readonly client: string
      readonly permissions: readonly Permission[]
    }
  | { readonly ok: false; readonly reason: string }

/** Judges a bearer token. Throws IssuerError when the issuer's keys cannot be had now. */
export type BearerVerifier = (token: string, now: Date) => Promise<BearerVerdict>

export interface BearerOptions {
  /** As the tokens name it in `iss`; its configuration is at `/.well-known/openid-configuration` below it. */
  readonly issuer: string
  /** What the tokens have to name in `aud`. */
  readonly audience: string
  /** How long a token counts after `exp` and before `nbf`, for clocks that differ. */
  readonly skewMs: number
}

/** The issuer cannot be reached, or does not answer as one should: no verdict on the token. */
export class IssuerError extends Error {
  override readonly name = 'IssuerError'
}

/** What signs with a private key: a token whose key anybody can read proves nothing. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

const answerMsMax = 5_000
const answerBytesMax = 256 * 1024
/** An issuer that failed is asked again after this time. */
const discoverAgainMs = 5_000
/** The keys are read again when they are this old; and when a token names an unknown one, but not more often than that. */
const keysMaxAgeMs = 10 * 60_000
const keysCooldownMs = 30_000

/** Reads the issuer's configuration and keys when the first token comes. The permissions are those that `roles`, `scp` or `scope` name. */
export function createBearerVerifier({ issuer, audience, skewMs }: BearerOptions): BearerVerifier {
  let discovered: { readonly keys: Promise<JWTVerifyGetKey>; readonly atMs: number; hasFailed: boolean } | null = null

  function keysOf(nowMs: number): Promise<JWTVerifyGetKey> {
    if (discovered === null || (discovered.hasFailed && nowMs >= discovered.atMs + discoverAgainMs)) {
      const discovery = { keys: discover(issuer), atMs: nowMs, hasFailed: false }
      discovery.keys.catch(() => {
        discovery.hasFailed = true
      })
      discovered = discovery
    }
    return discovered.keys
  }

  return async function verifyBearer(token, now) {
    const options = {
      issuer,
      audience,
      algorithms,
      currentDate: now,
      clockTolerance: skewMs / 1000,
      requiredClaims: ['exp'],
    }
    try {
      const { payload } = await jwtVerify(token, await keysOf(now.getTime()), options)
      return { ok: true, client: clientOf(payload), permissions: permissionsOf(payload) }
    } catch (error) {
      if (isTokensFault(error)) return { ok: false, reason: error.message }
      if (error instanceof IssuerError) throw error
      throw new IssuerError(`the keys of ${issuer} cannot be read`, { cause: error })
    }
  }
}

async function discover(issuer: string): Promise<JWTVerifyGetKey> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  try {
    const response = await fetchBounded(address, { redirect: 'manual', signal: AbortSignal.timeout(answerMsMax) })
    if (response.status !== 200) throw new TypeError(`expected status 200, got ${response.status}`)
    const configuration: unknown = await response.json()
    const { issuer: named, jwks_uri: keysAt } = Object(configuration)
    // Another's configuration would put another's keys in the place of the issuer's.
    if (named !== issuer) throw new TypeError(`expected the issuer ${issuer}, got ${named}`)
    const keysUrl = new URL(String(keysAt))
    if (keysUrl.protocol !== 'https:' && !issuer.startsWith('http:')) throw new TypeError('expected https in jwks_uri')
    return createRemoteJWKSet(keysUrl, {
      timeoutDuration: answerMsMax,
      cacheMaxAge: keysMaxAgeMs,
      cooldownDuration: keysCooldownMs,
      [customFetch]: fetchBounded,
    })
  } catch (cause) {
    throw new IssuerError(`the configuration at ${address} cannot be read`, { cause })
  }
}

/** The whole answer, which must not be larger than any issuer's. */
async function fetchBounded(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init)
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw new RangeError(`the answer of ${url} is over ${answerBytesMax} bytes`)
    chunks.push(chunk)
  }
  return new Response(Buffer.concat(chunks), { status: response.status })
}

type TokensFault = InstanceType<(typeof tokensFaults)[number]>
const tokensFaults = [
  errors.JWTClaimValidationFailed,
  errors.JWTExpired,
  errors.JWTInvalid,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
] as const

function isTokensFault(error: unknown): error is TokensFault {
  return tokensFaults.some((fault) => error instanceof fault)
}

function clientOf(payload: JWTPayload): string {
  const { azp, appid, client_id: clientId, sub } = payload
  return [azp, appid, clientId, sub].find((name) => typeof name === 'string' && name !== '')?.toString() ?? 'unnamed'
}

/** `roles` is a list; `scp` and `scope` are words in one text, or lists with some issuers. */
function permissionsOf({ roles, scp, scope }: JWTPayload): readonly Permission[] {
  const named = [roles, scp, scope].flatMap((claim) => (typeof claim === 'string' ? claim.split(' ') : claim))
  return permissions.filter((permission) => named.includes(permission))
}
