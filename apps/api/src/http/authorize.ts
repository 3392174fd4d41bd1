import {
  type BearerVerifier,
  clockGraceMs,
  IssuerError,
  type Permission,
  parseSasToken,
  permissions,
  type SasToken,
  type SasVerdict,
  verifySasToken,
} from '@muster/auth'
import { clip, HubError } from '@muster/contract'
import type { Clock } from '@muster/runtime'
import { cachePolicies, type Db } from '@muster/store'
import type { Access } from './endpoint.ts'

/**
 * Resolves with what the token of a request allows. Throws a HubError of status 401 when that is not enough, or of 503 when the issuer of
 * the token is away.
 */
export type Authorize = (request: AccessRequest) => Promise<Access>

/** The cookie that is the session of a browser. */
export const sessionCookie = 'muster-session'

/** What the cookies of a request allow. Null: there is no session among them, it is not ours, or it has ended. */
export type ReadSession = (cookies: string | undefined, now: Date) => Access | null

interface AccessRequest {
  readonly authorization: string | undefined
  /** Undefined also where no session is taken. */
  readonly cookies: string | undefined
  /** Still percent-encoded, at least where a character would have another meaning. */
  readonly path: string
  readonly permission: Permission
}

interface Deps {
  readonly db: Db
  readonly clock: Clock
  readonly hostNames: readonly string[]
  /** Null: bearer tokens are not accepted. */
  readonly bearer: BearerVerifier | null
  readonly sessions: { readonly read: ReadSession }
}

export function createAuthorize(deps: Deps): Authorize {
  const { bearer, clock, sessions } = deps
  const policies = cachePolicies(deps)
  const bySignature = authorizeBySignature(deps, policies)

  return async function authorize(request) {
    const session = request.authorization === undefined ? sessions.read(request.cookies, clock.now()) : null
    if (session !== null) return permitted(await narrowed(session, policies), request)
    const [, token] = /^Bearer +(\S+)$/i.exec(request.authorization ?? '') ?? []
    if (bearer === null || token === undefined) return bySignature(request)
    return authorizeBearer(bearer, token, request, clock.now())
  }
}

type ReadPolicies = ReturnType<typeof cachePolicies>

/** A policy that has lost a permission since then, or is gone, takes it from its sessions too. The issuer alone knows what a client may do. */
async function narrowed(access: Access, policies: ReadPolicies): Promise<Access> {
  if (!access.account.startsWith(ofPolicy)) return access
  const policy = (await policies()).find(({ name }) => name === access.account.slice(ofPolicy.length))
  return { ...access, permissions: access.permissions.filter((each) => policy?.permissions.includes(each)) }
}

const ofPolicy = 'policy:'

async function authorizeBearer(
  bearer: BearerVerifier,
  token: string,
  request: AccessRequest,
  now: Date,
): ReturnType<Authorize> {
  const verdict = await bearer(token, now).catch((cause) => {
    if (!(cause instanceof IssuerError)) throw cause
    const message = 'The keys of the token issuer cannot be read now; try again'
    throw new HubError('ServiceUnavailable', { message, retryAfterMs: 5_000, cause })
  })
  if (!verdict.ok) throw new HubError('IotHubUnauthorizedAccess', { message: `Unauthorized: ${clip(verdict.reason)}` })
  const { client, permissions, expiresAtMs } = verdict
  return permitted({ account: `client:${client}`, permissions, expiresAtMs }, request)
}

function authorizeBySignature(deps: Deps, policies: ReadPolicies): Authorize {
  return async function authorize(request) {
    const token = readToken(request.authorization)
    // A device token names no policy, so it never opens the service API.
    const policy = (await policies()).find(({ name }) => name === token.policyName)
    const keys = policy === undefined ? [] : [policy.primaryKey, policy.secondaryKey]
    const nowMs = deps.clock.now().getTime()
    const verdict = judge(token, request.path, { keys, hostNames: deps.hostNames, nowMs, skewMs: clockGraceMs })
    if (!verdict.ok) throw refusal(token, verdict.reason, deps.hostNames)
    const allowed = permissions.filter((each) => policy?.permissions.includes(each))
    const account = `policy:${policy?.name ?? ''}` as const
    return permitted({ account, permissions: allowed, expiresAtMs: verdict.expiresAtMs }, request)
  }
}

function permitted(access: Access, { path, permission }: AccessRequest): Access {
  if (access.permissions.includes(permission)) return access
  const rule = access.account.slice(access.account.indexOf(':') + 1)
  throw new HubError('IotHubUnauthorized', {
    message: `Authorization rule '${clip(rule)}' does not allow access for '${clip(path)}'; it needs ${permission}`,
  })
}

function readToken(authorization: string | undefined): SasToken {
  const expected = 'expected SharedAccessSignature sr=<host>&sig=<signature>&se=<expiry>&skn=<policy>'
  if (authorization === undefined) {
    throw new HubError('IotHubUnauthorized', { message: `Authorization header missing; ${expected}` })
  }
  const token = /^SharedAccessSignature /i.test(authorization) ? parseSasToken(authorization) : null
  if (token === null) {
    throw new HubError('IotHubUnauthorized', { message: `Authorization header is malformed; ${expected}` })
  }
  return token
}

type Judgement = Omit<Parameters<typeof verifySasToken>[1], 'path'>

/** A token is for the whole hub, or is narrowed to the beginning of a path. */
function judge(token: SasToken, path: string, options: Judgement): SasVerdict {
  const verdict = verifySasToken(token, { ...options, path: [] })
  const segments = segmentsOf(path)
  const isNarrowed = !verdict.ok && verdict.reason === 'resource' && segments !== null
  return isNarrowed ? verifySasToken(token, { ...options, path: segments }) : verdict
}

/** Decoded, as the addresses of the API decode their ids. Null for a wrong encoding, which no narrowed token covers. */
function segmentsOf(path: string): readonly string[] | null {
  try {
    return path.slice(1).split('/').map(decodeURIComponent)
  } catch {
    return null
  }
}

type Reason = Extract<SasVerdict, { ok: false }>['reason']

function refusal(token: SasToken, reason: Reason, hostNames: readonly string[]): HubError {
  const text: Record<Reason, string> = {
    // The same text for a wrong policy and a wrong key, so that nobody can find names of policies by trying.
    signature: `sig of the token was not made with a key of a policy "${clip(token.policyName ?? '')}"`,
    expired: `the token has expired: se is ${token.expiry}, in seconds since 1970`,
    resource: `sr of the token is "${clip(token.resource)}"; expected ${hostNames.join(' or ')}`,
    malformed: 'the token is malformed; expected se in decimal seconds since 1970 and sr percent-encoded',
  }
  return new HubError('IotHubUnauthorizedAccess', { message: `Unauthorized: ${text[reason]}` })
}
