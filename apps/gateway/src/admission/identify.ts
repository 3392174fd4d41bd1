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
  const [, authority = '', path = ''] = /^([^/]*)\/(.*)$/s.exec(userName) ?? []
  const hostName = authority.replace(/:\d+$/, '').toLowerCase()
  if (hostName === '' || path === '' || path.startsWith('/')) return 'userName'
  if (!hostNames.some((name) => name.toLowerCase() === hostName)) return 'hostName'

  const identity = parseIdentity(clientId)
  const parameters = path.startsWith(clientId) ? readParameters(path.slice(clientId.length)) : null
  if (identity === null || parameters === null) return 'clientId'
  return { identity, modelId: readModelId(parameters) }
}

function parseIdentity(clientId: string): IdentityKey | null {
  const [deviceId = '', moduleId, ...rest] = clientId.split('/')
  if (!isDeviceId(deviceId) || rest.length > 0) return null
  if (moduleId === undefined) return deviceId
  return isModuleId(moduleId) ? moduleKey(deviceId, moduleId) : null
}

/**
 * What follows the ids in `{host}/{device}[/{module}]/?api-version=...`, or in the older forms `{host}/{device}[/{module}]` and
 * `{host}/{device}/api-version=...`. Devices of 2018 begin with `DeviceClientType=` there. Ids are not percent-encoded, and may hold `?`
 * and `=`, so only the client id tells where they end. Null: the ids of the user name go on.
 */
function readParameters(text: string): URLSearchParams | null {
  const isEnd = /^\/?$|^\/?\?|^\/[^/]*=/.test(text)
  return isEnd ? new URLSearchParams(text.replace(/^\//, '')) : null
}

/** The longest model id of DTDL. */
const modelIdLength = 2048

/** Null for a text that is no id of a digital twin model. No device is refused for a parameter that it could leave out. */
function readModelId(parameters: URLSearchParams): string | null {
  const modelId = parameters.get('model-id')
  if (modelId === null || modelId === '') return modelId
  return modelId.length <= modelIdLength && /^dtmi:[\w:;.]+$/.test(modelId) ? modelId : null
}
