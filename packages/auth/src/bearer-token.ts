import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { createIssuerKeys, IssuerError } from './issuer-keys.ts'
import { type Permission, permissions } from './policies.ts'

export type BearerVerdict =
  | {
      readonly ok: true
      /** The client of the token, else its subject. */
      readonly client: string
      readonly permissions: readonly Permission[]
      /** Until when it counts, in ms since 1970: `skewMs` after its `exp`. */
      readonly expiresAtMs: number
    }
  | { readonly ok: false; readonly reason: string }

/** Judges a bearer token. Throws IssuerError when the keys of the issuer are not available now. */
export type BearerVerifier = (token: string, now: Date) => Promise<BearerVerdict>

export interface BearerOptions {
  /** As in `iss` of the tokens. Its configuration is at `/.well-known/openid-configuration` below this address. */
  readonly issuer: string
  /** The value that `aud` of the tokens must have. */
  readonly audience: string
  /** How long a token counts after `exp` and before `nbf`, for clocks that differ. */
  readonly skewMs: number
  /** Called each time the keys of the issuer cannot be read, also while the old keys are still good. */
  readonly onFailure: (error: IssuerError) => void
}

/** Only algorithms with a private key: a token proves nothing if anybody can read the key that signs it. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

/** `roles`, `scp` or `scope` name the permissions. Keys are read only for a text with the form of a token. */
export function createBearerVerifier({ issuer, audience, skewMs, onFailure }: BearerOptions): BearerVerifier {
  const findKey = createIssuerKeys(issuer, onFailure)

  return async function verifyBearer(token, now) {
    const options = {
      issuer,
      audience,
      algorithms,
      currentDate: now,
      clockTolerance: skewMs / 1000,
      requiredClaims: ['exp'],
    }
    const keyOf: JWTVerifyGetKey = (header) => findKey(header, now.getTime())
    try {
      // jose checks the parts and the algorithm before it asks for the key.
      const { payload } = await jwtVerify(token, keyOf, options)
      return {
        ok: true,
        client: clientOf(payload),
        permissions: permissionsOf(payload),
        // It is there: `requiredClaims` says so.
        expiresAtMs: (payload.exp ?? 0) * 1000 + skewMs,
      }
    } catch (error) {
      if (isTokensFault(error)) return { ok: false, reason: error.message }
      if (error instanceof IssuerError) throw error
      throw new IssuerError(`the keys of ${issuer} cannot be used`, { cause: error })
    }
  }
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
