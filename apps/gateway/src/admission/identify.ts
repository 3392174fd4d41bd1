import { type IdentityKey, isDeviceId, isModuleId, moduleKey } from '@muster/contract'
import type { RefusalReason } from './refusal.ts'

/** Who wants to connect, and the model that it says to implement: null when it says nothing of one. */
interface Identified {
  readonly identity: IdentityKey
  readonly modelId: string | null
}

/** Reads out of user name and client id, which must agree, who wants to connect. */
export function identify(
  { clientId, userName }: { readonly clientId: string; readonly userName: string },
  hostNames: readonly string[],
): Identified | RefusalReason {
  const parsed = parseUserName(userName, { isModule: clientId.includes('/') })
  if (parsed === null) return 'userName'
  if (!hostNames.some((name) => name.toLowerCase() === parsed.hostName)) return 'hostName'

  const { deviceId, moduleId, modelId } = parsed
  // The registry allows "+" and "#" in an id, but no topic can hold them.
  if (/[+#]/.test(clientId) || !isDeviceId(deviceId)) return 'clientId'
  if (moduleId === null) return clientId === deviceId ? { identity: deviceId, modelId } : 'clientId'
  if (!isModuleId(moduleId)) return 'clientId'
  const identity = moduleKey(deviceId, moduleId)
  return clientId === identity ? { identity, modelId } : 'clientId'
}

interface UserName {
  /** In lower case. */
  readonly hostName: string
  readonly deviceId: string
  readonly moduleId: string | null
  readonly modelId: string | null
}

/**
 * `{host}/{device}[/{module}]/?api-version=...`, and the older forms `{host}/{device}[/{module}]` and
 * `{host}/{device}/api-version=...`. Ids stand there as they are, not percent-encoded: that of a module may begin as the
 * parameters of a device do.
 */
function parseUserName(text: string, { isModule }: { isModule: boolean }): UserName | null {
  const [authority = '', deviceId = '', next = '', ...rest] = text.split('/')
  const hostName = authority.replace(/:\d+$/, '').toLowerCase()
  if (hostName === '' || deviceId === '') return null
  const isQuery = next === '' || (!isModule && (next.startsWith('?') || next.startsWith('api-version=')))
  const query = isQuery ? [next, ...rest] : rest
  return { hostName, deviceId, moduleId: isQuery ? null : next, modelId: readModelId(query.join('/')) }
}

/** The longest that DTDL knows. */
const modelIdLength = 2048

/** Nothing for what is no identifier of a digital twin model: no device is refused for a parameter that it could leave out. */
function readModelId(query: string): string | null {
  const modelId = new URLSearchParams(query).get('model-id')
  if (modelId === null || modelId === '') return modelId
  return modelId.length <= modelIdLength && /^dtmi:[\w:;.]+$/.test(modelId) ? modelId : null
}
