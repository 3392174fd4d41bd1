import { type IdentityKey, isDeviceId, isModuleId, moduleKey } from '@muster/contract'
import type { RefusalReason } from './refusal.ts'

/** Reads out of user name and client id, which must agree, who wants to connect. */
export function identify(
  { clientId, userName }: { readonly clientId: string; readonly userName: string },
  hostNames: readonly string[],
): { readonly identity: IdentityKey } | RefusalReason {
  const parsed = parseUserName(userName)
  if (parsed === null) return 'userName'
  if (!hostNames.some((name) => name.toLowerCase() === parsed.hostName)) return 'hostName'

  const { deviceId, moduleId } = parsed
  // The registry allows "+" and "#" in an id, but no topic can hold them.
  if (/[+#]/.test(clientId) || !isDeviceId(deviceId)) return 'clientId'
  if (moduleId === null) return clientId === deviceId ? { identity: deviceId } : 'clientId'
  if (!isModuleId(moduleId)) return 'clientId'
  const identity = moduleKey(deviceId, moduleId)
  return clientId === identity ? { identity } : 'clientId'
}

/**
 * `{host}/{device}[/{module}]/?api-version=...`, and the older forms `{host}/{device}[/{module}]` and
 * `{host}/{device}/api-version=...`. Ids stand there as they are, not percent-encoded. The host comes in lower case.
 */
function parseUserName(text: string): { hostName: string; deviceId: string; moduleId: string | null } | null {
  const [authority = '', deviceId = '', next = ''] = text.split('/', 3)
  const hostName = authority.replace(/:\d+$/, '').toLowerCase()
  if (hostName === '' || deviceId === '') return null
  const isQuery = next === '' || next.startsWith('?') || next.startsWith('api-version=')
  return { hostName, deviceId, moduleId: isQuery ? null : next }
}
