import { type IdentityKey, isDeviceId, isModuleId, moduleKey } from '@muster/contract'
import type { RefusalReason } from './refusal.ts'

/** Who wants to connect, and the model that it names; null when it names none. */
interface Identified {
  readonly identity: IdentityKey
  readonly modelId: string | null
}

/** Reads who wants to connect from the user name and the client id, which must agree. */
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
 * `{host}/{device}/api-version=...`. Ids are not percent-encoded. So the id of a module may begin like the parameters of a
 * device.
 */
function parseUserName(text: string, { isModule }: { isModule: boolean }): UserName | null {
  const [authority = '', deviceId = '', next = '', ...rest] = text.split('/')
  const hostName = authority.replace(/:\d+$/, '').toLowerCase()
  if (hostName === '' || deviceId === '') return null
  const isQuery = next === '' || (!isModule && (next.startsWith('?') || next.startsWith('api-version=')))
  const query = isQuery ? [next, ...rest] : rest
  return { hostName, deviceId, moduleId: isQuery ? null : next, modelId: readModelId(query.join('/')) }
}

/** The longest model id of DTDL. */
const modelIdLength = 2048

/** Null for a text that is no id of a digital twin model. No device is refused for a parameter that it could leave out. */
function readModelId(query: string): string | null {
  const modelId = new URLSearchParams(query).get('model-id')
  if (modelId === null || modelId === '') return modelId
  return modelId.length <= modelIdLength && /^dtmi:[\w:;.]+$/.test(modelId) ? modelId : null
}
