import {
  clip,
  type ErrorName,
  HubError,
  type IdentityBody,
  type IdentityKey,
  isJsonObject,
  limits,
  type NumberText,
  namesOf,
  parseNewTwin,
  parseRegistryEntry,
  parseTwinPatch,
  type TwinPatch,
  unreachable,
} from '@muster/contract'
import type { IdentityDraft } from '@muster/store'
import { unquote } from '../http/etag.ts'
import type { readDocument } from '../http/json-body.ts'
import { draftIdentity, draftModule } from './identity-body.ts'

/** The change that one entry of a bulk request asks for. An etag of null means any etag. */
export type Change = { readonly identity: IdentityKey } & (
  | { readonly kind: 'create'; readonly draft: IdentityDraft }
  | { readonly kind: 'update'; readonly body: IdentityBody; readonly etag: string | null }
  | { readonly kind: 'delete'; readonly etag: string | null }
  | { readonly kind: 'patchTwin'; readonly patch: TwinPatch; readonly etag: string | null }
)

/** Why one entry of a bulk request was not carried out, as the reply shows it. */
export interface Refusal {
  readonly deviceId: string
  /** Only for an entry that names a module. */
  readonly moduleId?: string
  readonly errorCode: ErrorName
  readonly errorStatus: string
}

/**
 * Reads a bulk request. A wrong entry is refused alone, and the others are carried out.
 * @throws HubError TooManyDevices, and IotHubFormatError when the body is no list
 */
export function readChanges({ body, numberText }: ReturnType<typeof readDocument>): {
  changes: readonly Change[]
  refusals: readonly Refusal[]
} {
  if (!Array.isArray(body)) {
    throw new HubError('IotHubFormatError', {
      message: `the body must be a list of devices, got ${clip(JSON.stringify(body) ?? 'nothing')}`,
    })
  }
  if (body.length > limits.bulkDevices) {
    throw new HubError('TooManyDevices', {
      message: `the list holds ${body.length} devices; at most ${limits.bulkDevices} are allowed`,
    })
  }
  const repeated = repeatedNames(body)
  const read = body.map((entry) => readEntry(entry, repeated, numberText))
  return {
    changes: read.filter((result) => 'kind' in result),
    refusals: read.filter((result) => 'errorCode' in result),
  }
}

export function refuse({ deviceId, moduleId }: Name, error: HubError): Refusal {
  return {
    deviceId,
    ...(moduleId === null ? {} : { moduleId }),
    errorCode: error.code,
    errorStatus: error.message,
  }
}

/** The identity of an entry, as the caller wrote it. */
interface Name {
  readonly deviceId: string
  readonly moduleId: string | null
}

function repeatedNames(entries: readonly unknown[]): ReadonlySet<string> {
  const names = entries.map((entry) => JSON.stringify(namesOf(entry)))
  const seen = new Set<string>()
  return new Set(names.filter((name) => seen.size === seen.add(name).size))
}

function readEntry(entry: unknown, repeated: ReadonlySet<string>, numberText: NumberText): Change | Refusal {
  const name = namesOf(entry)
  try {
    if (name.deviceId !== '' && repeated.has(JSON.stringify(name))) {
      throw new HubError('DeviceDefinedMultipleTimes', {
        message: `The list holds ${name.moduleId === null ? '' : `the module ${clip(name.moduleId)} of `}the device ${clip(name.deviceId)} more than once`,
      })
    }
    return readChange(entry, numberText)
  } catch (error) {
    // A wrong entry gets its own error.
    if (error instanceof HubError) return refuse(clipped(name), error)
    throw error
  }
}

function clipped({ deviceId, moduleId }: Name): Name {
  return { deviceId: clip(deviceId), moduleId: moduleId === null ? null : clip(moduleId) }
}

function readChange(entry: unknown, numberText: NumberText): Change {
  const twin = isJsonObject(entry) ? entry : {}
  const { identity, entry: parsed } = parseRegistryEntry(entry)
  const { id, moduleId, importMode, etag, twinETag, ...body } = parsed
  switch (importMode) {
    case 'create': {
      const draft = (moduleId ? draftModule : draftIdentity)(identity, body, null)
      return { kind: 'create', identity, draft: { ...draft, ...parseNewTwin(twin, numberText) } }
    }
    case 'update':
      return { kind: 'update', identity, body, etag: null }
    case 'updateIfMatchETag':
      return { kind: 'update', identity, body, etag: readEtag('etag', etag) }
    case 'delete':
      return { kind: 'delete', identity, etag: null }
    case 'deleteIfMatchETag':
      return { kind: 'delete', identity, etag: readEtag('etag', etag) }
    case 'updateTwin':
      return { kind: 'patchTwin', identity, patch: parseTwinPatch(twin, numberText), etag: null }
    case 'updateTwinIfMatchETag':
      return {
        kind: 'patchTwin',
        identity,
        patch: parseTwinPatch(twin, numberText),
        etag: readEtag('twinETag', twinETag),
      }
    default:
      return unreachable(importMode)
  }
}

function readEtag(member: 'etag' | 'twinETag', text: string | null | undefined): string | null {
  if (!text)
    throw new HubError('ArgumentNull', { message: `${member} is missing; expected the etag to compare with, or *` })
  const etag = unquote(text)
  return etag === '*' ? null : etag
}
