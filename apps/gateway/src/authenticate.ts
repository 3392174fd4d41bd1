import { parseSasToken, verifySasToken } from '@muster/auth'
import { type DeviceId, isDeviceId } from '@muster/contract'
import { type Credentials, readCredentials, type StoredPolicy } from '@muster/store'
import type { Gateway } from './gateway.ts'
import type { RefusalReason } from './refusal.ts'

/** Who a device is and until when, or why it may not connect. */
export type Verdict =
  | { readonly kind: 'admitted'; readonly deviceId: DeviceId; readonly expiresAtMs: number }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }

export interface ConnectRequest {
  readonly clientId: string
  readonly userName: string
  readonly password: string
}

export async function authenticate(
  gateway: Pick<Gateway, 'config' | 'db' | 'clock' | 'statements'>,
  readPolicies: () => Promise<readonly StoredPolicy[]>,
  request: ConnectRequest,
): Promise<Verdict> {
  const { clock, db, statements } = gateway
  const { hostNames } = gateway.config
  const identity = identify(request, hostNames)
  if (typeof identity !== 'object') return refused(identity)

  const { deviceId } = identity
  const [credentials, policies] = await Promise.all([statements(() => readCredentials(db, deviceId)), readPolicies()])
  if (credentials === null) return refused('unknownDevice')
  return judge({ password: request.password, deviceId, credentials, policies, hostNames, nowMs: clock.now().getTime() })
}

/** Reads the identity out of user name and client id, which must agree. */
export function identify(
  { clientId, userName }: Pick<ConnectRequest, 'clientId' | 'userName'>,
  hostNames: readonly string[],
): { readonly deviceId: DeviceId } | RefusalReason {
  const parsed = parseUserName(userName)
  if (parsed === null) return 'userName'
  if (!hostNames.some((name) => name.toLowerCase() === parsed.hostName)) return 'hostName'

  const { deviceId, moduleId } = parsed
  if (clientId !== (moduleId === null ? deviceId : `${deviceId}/${moduleId}`)) return 'clientId'
  if (moduleId !== null) return 'module'
  // The registry allows "+" and "#" in an id, but no topic can hold them.
  return isDeviceId(deviceId) && !/[+#]/.test(deviceId) ? { deviceId } : 'clientId'
}

/** Judges the token of a known device: signed with one of its keys, or by a policy that lets devices connect. */
export function judge(attempt: {
  password: string
  deviceId: DeviceId
  credentials: Credentials
  policies: readonly StoredPolicy[]
  hostNames: readonly string[]
  nowMs: number
}): Verdict {
  const { deviceId, credentials, hostNames, nowMs } = attempt
  const token = parseSasToken(attempt.password)
  if (token === null) return refused('token')

  const keys = token.policyName === null ? deviceKeys(credentials) : policyKeys(attempt.policies, token.policyName)
  const verdict = verifySasToken(token, { keys, hostNames, path: `/devices/${deviceId}`, nowMs, skewMs: 0 })
  if (!verdict.ok) return refused(verdict.reason === 'expired' ? 'expired' : 'token')
  return credentials.status === 'enabled'
    ? { kind: 'admitted', deviceId, expiresAtMs: verdict.expiresAtMs }
    : refused('disabled')
}

/**
 * `{host}/{device}[/{module}]/?api-version=...`, and the older forms `{host}/{device}` and
 * `{host}/{device}/api-version=...`. Ids stand there as they are, not percent-encoded. The host comes in lower case.
 */
function parseUserName(text: string): { hostName: string; deviceId: string; moduleId: string | null } | null {
  const [authority = '', deviceId = '', next = ''] = text.split('/', 3)
  const hostName = authority.replace(/:\d+$/, '').toLowerCase()
  if (hostName === '' || deviceId === '') return null
  const isQuery = next === '' || next.startsWith('?') || next.startsWith('api-version=')
  return { hostName, deviceId, moduleId: isQuery ? null : next }
}

function deviceKeys({ authentication }: Credentials): readonly string[] {
  return [authentication.primaryKey, authentication.secondaryKey].filter((key) => key !== null)
}

function policyKeys(policies: readonly StoredPolicy[], name: string): readonly string[] {
  const policy = policies.find((candidate) => candidate.name === name)
  return policy?.permissions.includes('DeviceConnect') ? [policy.primaryKey, policy.secondaryKey] : []
}

function refused(reason: RefusalReason): Verdict {
  return { kind: 'refused', reason }
}
