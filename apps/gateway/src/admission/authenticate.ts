import { parseSasToken, verifySasToken } from '@muster/auth'
import { type IdentityKey, partsOf } from '@muster/contract'
import {
  type Authentication,
  type Credentials,
  keyFingerprint,
  readCredentials,
  readPolicies,
  type StoredPolicy,
  thumbprintFingerprint,
} from '@muster/store'
import type { Gateway } from '../gateway.ts'
import { isRegistered, type ShownCertificate, thumbprintsOf } from './certificate.ts'
import { identify } from './identify.ts'
import type { RefusalReason } from './refusal.ts'

/** Who connects, by which credentials, and until when. */
export interface Admission extends Evidence {
  readonly identity: IdentityKey
  /** What it says of its model: null is nothing, and the empty text that it has none. */
  readonly modelId: string | null
}

interface Evidence {
  /** Of the credentials it came by, each of which is enough: of a certificate both thumbprints, whichever is registered. */
  readonly fingerprints: readonly string[]
  readonly expiresAtMs: number
}

/** Who connects, or why it may not. */
export type Verdict =
  | ({ readonly kind: 'admitted' } & Admission)
  | { readonly kind: 'refused'; readonly reason: RefusalReason }

export interface ConnectRequest {
  readonly clientId: string
  readonly userName: string
  readonly password: string
  readonly certificate: ShownCertificate | null
}

export async function authenticate(
  gateway: Pick<Gateway, 'config' | 'db' | 'clock' | 'statements'>,
  readCachedPolicies: () => Promise<readonly StoredPolicy[]>,
  request: ConnectRequest,
): Promise<Verdict> {
  const { clock, db, statements } = gateway
  const { hostNames } = gateway.config
  const identified = identify(request, hostNames)
  if (typeof identified !== 'object') return refused(identified)

  const { identity, modelId } = identified
  const [credentials, cached] = await Promise.all([
    statements(() => readCredentials(db, identity)),
    readCachedPolicies(),
  ])
  if (credentials === null) return refused('unknown')
  const judgeBy = (policies: readonly StoredPolicy[]) =>
    judge({ ...request, identity, modelId, credentials, policies, hostNames, nowMs: clock.now().getTime() })
  const verdict = judgeBy(cached)
  // With the old key of a policy a device may still get in, until its connection is compared with Postgres; with the new one it must.
  return isByOtherPolicy(verdict, request) ? judgeBy(await statements(() => readPolicies(db))) : verdict
}

/** Whether the token names a policy, and is not one of that policy as it was known. */
function isByOtherPolicy(verdict: Verdict, { password }: ConnectRequest): boolean {
  if (verdict.kind === 'admitted' || verdict.reason !== 'token') return false
  return typeof parseSasToken(password)?.policyName === 'string'
}

interface Attempt extends Pick<ConnectRequest, 'password' | 'certificate'>, Pick<Admission, 'identity' | 'modelId'> {
  readonly credentials: Credentials
  readonly policies: readonly StoredPolicy[]
  readonly hostNames: readonly string[]
  readonly nowMs: number
}

/** Judges what a known identity has to show for itself. How it must do so is written in the registry, and nothing else counts. */
export function judge(attempt: Attempt): Verdict {
  const { identity, modelId, credentials } = attempt
  const proven = prove(attempt, credentials.authentication)
  if (typeof proven !== 'object') return refused(proven)
  if (credentials.status === 'disabled') return refused('disabled')
  return { kind: 'admitted', identity, modelId, ...proven }
}

function prove(attempt: Attempt, authentication: Authentication): Evidence | RefusalReason {
  switch (authentication.type) {
    case 'selfSigned':
      return proveByCertificate(attempt, authentication)
    case 'certificateAuthority':
      return 'certificate'
    default:
      return proveByToken(attempt, authentication)
  }
}

/** Signed with one of the identity's keys, or by a policy that lets devices connect. */
function proveByToken(
  { password, identity, policies, hostNames, nowMs }: Attempt,
  own: Authentication,
): Evidence | RefusalReason {
  const token = parseSasToken(password)
  if (token === null) return 'token'

  const { policyName } = token
  const options = { hostNames, path: pathOf(identity), nowMs, skewMs: 0 }
  const verdicts = keysOf(policyName === null ? own : policyOf(policies, policyName)).map((key) => {
    return { key, ...verifySasToken(token, { ...options, keys: [key] }) }
  })
  const good = verdicts.find((verdict) => verdict.ok)
  if (good !== undefined) return { fingerprints: [keyFingerprint(good.key, policyName)], expiresAtMs: good.expiresAtMs }
  return verdicts.some((verdict) => !verdict.ok && verdict.reason === 'expired') ? 'expired' : 'token'
}

/** The time on the certificate counts, though nobody else has signed it: the one way to let a key run out that is not renewed. */
function proveByCertificate({ certificate, nowMs }: Attempt, authentication: Authentication): Evidence | RefusalReason {
  if (certificate === null) return 'certificate'
  const thumbprints = thumbprintsOf(certificate)
  if (!isRegistered(thumbprints, authentication)) return 'certificate'
  const expiresAtMs = Date.parse(certificate.validTo)
  const isInTime = Date.parse(certificate.validFrom) <= nowMs && nowMs < expiresAtMs
  return isInTime ? { fingerprints: thumbprints.map(thumbprintFingerprint), expiresAtMs } : 'expired'
}

/** What a token must cover. That of a module lies below its device's, so no token for a module alone opens its device. */
function pathOf(identity: IdentityKey): readonly string[] {
  const { deviceId, moduleId } = partsOf(identity)
  return moduleId === null ? ['devices', deviceId] : ['devices', deviceId, 'modules', moduleId]
}

function keysOf(pair: Pick<Authentication, 'primaryKey' | 'secondaryKey'> | undefined): readonly string[] {
  return [pair?.primaryKey, pair?.secondaryKey].filter((key) => key != null)
}

function policyOf(policies: readonly StoredPolicy[], name: string): StoredPolicy | undefined {
  return policies.find((policy) => policy.name === name && policy.permissions.includes('DeviceConnect'))
}

function refused(reason: RefusalReason): Verdict {
  return { kind: 'refused', reason }
}
