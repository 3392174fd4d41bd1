import { clockGraceMs, parseSasToken, verifySasToken } from '@muster/auth'
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
import { askInSets } from '../ask-in-sets.ts'
import type { Gateway } from '../gateway.ts'
import { isRegistered, type ShownCertificate, thumbprintsOf } from './certificate.ts'
import { identify } from './identify.ts'
import type { RefusalReason } from './refusal.ts'

/** Who connects, with which credentials, and until when. */
export interface Admission extends Evidence {
  readonly identity: IdentityKey
  /** The model that it names. Null: it names none. Empty: it says that it has no model. */
  readonly modelId: string | null
}

interface Evidence {
  /** Of the credentials that it used, each of which is enough. A certificate has both thumbprints, whichever is registered. */
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

/** Reads who it is that connects. One that is not `isAwaited` any more when its turn comes is not looked up. */
type Authenticate = (request: ConnectRequest, isAwaited: () => boolean) => Promise<Verdict>

/** Identities of one statement: many, so that a fleet that comes back costs few. */
const setSize = 500

export function createAuthentication(
  { config, clock, db, statements }: Pick<Gateway, 'config' | 'db' | 'clock' | 'statements'>,
  readCachedPolicies: () => Promise<readonly StoredPolicy[]>,
): Authenticate {
  const { hostNames } = config
  const askCredentials = askInSets<{ identity: IdentityKey; isAwaited: () => boolean }, Credentials | RefusalReason>(
    async (asked) => {
      const found = await statements(() => readCredentials(db, [...new Set(asked.map(({ identity }) => identity))]))
      return ({ identity }) => found.get(identity) ?? 'unknown'
    },
    { setSize, isWanted: ({ isAwaited }) => isAwaited(), unasked: 'gone' },
  )

  return async (request, isAwaited) => {
    const identified = identify(request, hostNames)
    if (typeof identified !== 'object') return refused(identified)

    const { identity, modelId } = identified
    const [credentials, cached] = await Promise.all([askCredentials({ identity, isAwaited }), readCachedPolicies()])
    if (typeof credentials !== 'object') return refused(credentials)
    const judgeBy = (policies: readonly StoredPolicy[]) =>
      judge({ ...request, identity, modelId, credentials, policies, hostNames, nowMs: clock.now().getTime() })
    const verdict = judgeBy(cached)
    // With an old key of a policy a device may still connect, until its connection is compared with Postgres. With a new key it must.
    return isByOtherPolicy(verdict, request) ? judgeBy(await statements(() => readPolicies(db))) : verdict
  }
}

/** Whether the token names a policy, but is not a token of that policy as the cache has it. */
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

/** Judges the credentials of a known identity. Only the kind of credentials that the registry asks for counts. */
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
  const options = { hostNames, path: pathOf(identity), nowMs, skewMs: clockGraceMs }
  const verdicts = keysOf(policyName === null ? own : policyOf(policies, policyName)).map((key) => {
    return { key, ...verifySasToken(token, { ...options, keys: [key] }) }
  })
  const good = verdicts.find((verdict) => verdict.ok)
  if (good !== undefined) return { fingerprints: [keyFingerprint(good.key, policyName)], expiresAtMs: good.expiresAtMs }
  return verdicts.some((verdict) => !verdict.ok && verdict.reason === 'expired') ? 'expired' : 'token'
}

/** The times of the certificate count, also when nobody else has signed it. Only so does a key expire that nobody renews. */
function proveByCertificate({ certificate, nowMs }: Attempt, authentication: Authentication): Evidence | RefusalReason {
  if (certificate === null) return 'certificate'
  const thumbprints = thumbprintsOf(certificate)
  if (!isRegistered(thumbprints, authentication)) return 'certificate'
  const expiresAtMs = Date.parse(certificate.validTo)
  const isInTime = Date.parse(certificate.validFrom) <= nowMs && nowMs < expiresAtMs
  return isInTime ? { fingerprints: thumbprints.map(thumbprintFingerprint), expiresAtMs } : 'expired'
}

/** The path that a token must cover. The path of a module is below that of its device, so a token for a module does not open it. */
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
