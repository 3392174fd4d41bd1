import { type IdentityKey, limits, partsOf } from '@muster/contract'

/**
 * A message of a device, by its topic. `rid` is opaque and kept as it came, so that the answer has it byte for byte. `status` and
 * `baseVersion` are texts; the code that uses them checks them.
 */
export type DeviceTopic =
  | { readonly kind: 'twinGet'; readonly rid: string }
  | { readonly kind: 'reportedPatch'; readonly rid: string; readonly baseVersion: string | null }
  | { readonly kind: 'methodAnswer'; readonly rid: string; readonly status: string }
  | { readonly kind: 'telemetry' }

/** Null for a topic that is not in the contract, or belongs to another identity. A device cannot publish for its modules. */
export function parseDeviceTopic(topic: string, identity: IdentityKey): DeviceTopic | null {
  if (isUnder(topic, `${rootOf(identity)}/messages/events`)) return { kind: 'telemetry' }

  const [path, query] = splitQuery(topic)
  const rid = member(query, '$rid')
  if (rid === null || rid === '') return null
  if (path === '$iothub/twin/GET/') return { kind: 'twinGet', rid }
  if (path === '$iothub/twin/PATCH/properties/reported/') {
    return { kind: 'reportedPatch', rid, baseVersion: member(query, '$version') }
  }
  const status = /^\$iothub\/methods\/res\/([^/]+)\/$/.exec(path)?.[1]
  return status === undefined ? null : { kind: 'methodAnswer', rid, status }
}

/** The filters that the hub grants. A method filter without a name is for every method. */
export type Filter =
  /** Messages from the cloud to a device or a module. The hub sends none yet. */
  | { readonly kind: 'cloudToDevice' }
  | { readonly kind: 'twinResponses' }
  | { readonly kind: 'desired' }
  | { readonly kind: 'methods'; readonly methodName: string | null }

/** Null for a filter that the hub refuses. */
export function parseFilter(text: string, identity: IdentityKey): Filter | null {
  if (messageFilters(identity).includes(text)) return { kind: 'cloudToDevice' }
  if (text === '$iothub/twin/res/#') return { kind: 'twinResponses' }
  if (text === '$iothub/twin/PATCH/properties/desired/#') return { kind: 'desired' }
  if (text === '$iothub/methods/POST/#') return { kind: 'methods', methodName: null }

  const name = /^\$iothub\/methods\/POST\/([^/#+]+)(\/#?)?$/.exec(text)?.[1]
  const methodName = name === undefined ? null : decode(name)
  if (methodName === null || methodName.length > limits.methodNameLength) return null
  return { kind: 'methods', methodName }
}

// The slash before "?" is necessary: SDKs split the topic there.

export function twinResponseTopic(response: { status: number; rid: string; version?: number }): string {
  const version = response.version === undefined ? '' : `&$version=${response.version}`
  return `$iothub/twin/res/${response.status}/?$rid=${response.rid}${version}`
}

export function desiredTopic(version: number): string {
  return `$iothub/twin/PATCH/properties/desired/?$version=${version}`
}

export function methodRequestTopic(methodName: string, rid: string): string {
  return `$iothub/methods/POST/${encodeURIComponent(methodName)}/?$rid=${rid}`
}

function messageFilters(identity: IdentityKey): readonly string[] {
  const root = rootOf(identity)
  const isModule = partsOf(identity).moduleId !== null
  return isModule ? [`${root}/#`, `${root}/inputs/#`] : [`${root}/messages/devicebound/#`]
}

/** The beginning of the topics for messages of the identity. */
function rootOf(identity: IdentityKey): string {
  const { deviceId, moduleId } = partsOf(identity)
  return moduleId === null ? `devices/${deviceId}` : `devices/${deviceId}/modules/${moduleId}`
}

function isUnder(topic: string, path: string): boolean {
  return topic.startsWith(path) && (topic.length === path.length || topic[path.length] === '/')
}

function splitQuery(topic: string): [path: string, query: string] {
  const mark = topic.indexOf('/?')
  return mark < 0 ? [topic, ''] : [topic.slice(0, mark + 1), topic.slice(mark + 2)]
}

function member(query: string, name: string): string | null {
  const found = query.split('&').find((text) => text.startsWith(`${name}=`))
  return found === undefined ? null : found.slice(name.length + 1)
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
