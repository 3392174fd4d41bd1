import { parseSasToken, verifySasToken } from '@muster/auth'
import { type IdentityKey, partsOf } from '@muster/contract'
import { type Authentication, type Credentials, readCredentials, type StoredPolicy } from '@muster/store'
import { isRegistered, type ShownCertificate } from './certificate.ts'
import type { Gateway } from './gateway.ts'
import { identify } from './identify.ts'
import type { RefusalReason } from './refusal.ts'

/** Who connects, by which credentials, and until when. */
export interface Admission extends Pick<Credentials, 'authenticationHash'> {
  readonly identity: IdentityKey
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
  readPolicies: () => Promise<readonly StoredPolicy[]>,
  request: ConnectRequest,
): Promise<Verdict> {
  const { clock, db, statements } = gateway
  const { hostNames } = gateway.config
  const identified = identify(request, hostNames)
  if (typeof identified !== 'object') return refused(identified)

  const { identity } = identified
  const [credentials, policies] = await Promise.all([statements(() => readCredentials(db, identity)), readPolicies()])
  if (credentials === null) return refused('unknown')
  return judge({ ...request, identity, credentials, policies, hostNames, nowMs: clock.now().getTime() })
}

interface Attempt extends Pick<ConnectRequest, 'password' | 'certificate'> {
  readonly identity: IdentityKey
  readonly credentials: Credentials
  readonly policies: readonly StoredPolicy[]
  readonly hostNames: readonly string[]
  readonly nowMs: number
}

/** Judges what a known identity has to show for itself. How it must do so is written in the registry, and nothing else counts. */
export function judge(attempt: Attempt): Verdict {
  const { identity, credentials } = attempt
  const proven = prove(attempt, credentials.authentication)
  if (typeof proven !== 'object') return refused(proven)
  if (credentials.status === 'disabled') return refused('disabled')
  return { kind: 'admitted', identity, authenticationHash: credentials.authenticationHash, ...proven }
}

type Proof = { readonly expiresAtMs: number } | RefusalReason

function prove(attempt: Attempt, authentication: Authentication): Proof {
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
function proveByToken({ password, identity, policies, hostNames, nowMs }: Attempt, own: Authentication): Proof {
  const token = parseSasToken(password)
  if (token === null) return 'token'

  const keys = token.policyName === null ? keysOf(own) : keysOf(policyOf(policies, token.policyName))
  const verdict = verifySasToken(token, { keys, hostNames, path: pathOf(identity), nowMs, skewMs: 0 })
  if (verdict.ok) return { expiresAtMs: verdict.expiresAtMs }
  return verdict.reason === 'expired' ? 'expired' : 'token'
}

/** The time on the certificate counts, though nobody else has signed it: the one way to let a key run out that is not renewed. */
function proveByCertificate({ certificate, nowMs }: Attempt, authentication: Authentication): Proof {
  if (certificate === null || !isRegistered(certificate, authentication)) return 'certificate'
  const expiresAtMs = Date.parse(certificate.validTo)
  return Date.parse(certificate.validFrom) <= nowMs && nowMs < expiresAtMs ? { expiresAtMs } : 'expired'
}

/** What a token must cover. That of a module lies below its device's, so no token for a module alone opens its device. */
function pathOf(identity: IdentityKey): string {
  const { deviceId, moduleId } = partsOf(identity)
  return moduleId === null ? `/devices/${deviceId}` : `/devices/${deviceId}/modules/${moduleId}`
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
