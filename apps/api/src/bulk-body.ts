import {
  clip,
  type DeviceId,
  type ErrorName,
  HubError,
  isJsonObject,
  type JsonObject,
  limits,
  parseBody,
  parseDeviceId,
  parseTwinPatch,
  type Section,
  sectionBytes,
  sectionSize,
  sectionTooLarge,
  type TwinPatch,
  unreachable,
} from '@muster/contract'
import type { DeviceDraft } from '@muster/store'
import { z } from 'zod'
import { draftDevice, type Identity, identitySchema, plainText } from './device-body.ts'
import { unquote } from './etag.ts'
import { foldMembers } from './json-body.ts'

/** What one entry of a bulk request asks for. An etag of null means: whatever it is. */
export type Change =
  | { readonly kind: 'create'; readonly deviceId: DeviceId; readonly draft: DeviceDraft }
  | { readonly kind: 'update'; readonly deviceId: DeviceId; readonly identity: Identity; readonly etag: string | null }
  | { readonly kind: 'delete'; readonly deviceId: DeviceId; readonly etag: string | null }
  | { readonly kind: 'patchTwin'; readonly deviceId: DeviceId; readonly patch: TwinPatch; readonly etag: string | null }

/** Why one entry of a bulk request was not carried out, as the reply shows it. */
export interface Refusal {
  readonly deviceId: string
  readonly errorCode: ErrorName
  readonly errorStatus: string
}

const modes = [
  'create',
  'update',
  'updateIfMatchETag',
  'delete',
  'deleteIfMatchETag',
  'updateTwin',
  'updateTwinIfMatchETag',
] as const

export const entrySchema = identitySchema.extend({
  id: z.string(),
  importMode: z.preprocess(
    (value) => (typeof value === 'string' ? modes.find((mode) => mode.toLowerCase() === value.toLowerCase()) : value),
    z.enum(modes),
  ),
  etag: plainText.nullish(),
  twinETag: plainText.nullish(),
  tags: z.unknown().optional(),
  properties: z.unknown().optional(),
})

/**
 * Reads a bulk request. An entry that is wrong is refused alone; the others stand.
 * @throws HubError TooManyDevices, and IotHubFormatError when the body is no list
 */
export function readChanges(body: unknown): { changes: readonly Change[]; refusals: readonly Refusal[] } {
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
  const repeated = repeatedIds(body)
  const read = body.map((entry) => readEntry(entry, repeated))
  return {
    changes: read.filter((result) => 'kind' in result),
    refusals: read.filter((result) => 'errorCode' in result),
  }
}

export function refuse(deviceId: string, error: HubError): Refusal {
  return { deviceId, errorCode: error.code, errorStatus: error.message }
}

function repeatedIds(entries: readonly unknown[]): ReadonlySet<string> {
  const ids = entries.map(idOf)
  return new Set(ids.filter((id, index) => id !== '' && ids.indexOf(id) !== index))
}

function idOf(entry: unknown): string {
  const folded = foldEntry(entry)
  return isJsonObject(folded) && typeof folded.id === 'string' ? folded.id : ''
}

function foldEntry(entry: unknown): unknown {
  return foldMembers(entry, Object.keys(entrySchema.shape))
}

function readEntry(entry: unknown, repeated: ReadonlySet<string>): Change | Refusal {
  const id = idOf(entry)
  try {
    if (repeated.has(id)) {
      throw new HubError('DeviceDefinedMultipleTimes', {
        message: `The list holds the device ${clip(id)} more than once`,
      })
    }
    return readChange(foldEntry(entry))
  } catch (error) {
    // One wrong entry is its own answer.
    if (error instanceof HubError) return refuse(clip(id), error)
    throw error
  }
}

function readChange(entry: unknown): Change {
  const { id, importMode, etag, twinETag, ...identity } = parseBody(entrySchema, entry)
  const deviceId = parseDeviceId(id)
  switch (importMode) {
    case 'create':
      return {
        kind: 'create',
        deviceId,
        draft: { ...draftDevice(deviceId, identity, null), ...firstSections(readPatch(entry)) },
      }
    case 'update':
      return { kind: 'update', deviceId, identity, etag: null }
    case 'updateIfMatchETag':
      return { kind: 'update', deviceId, identity, etag: readEtag('etag', etag) }
    case 'delete':
      return { kind: 'delete', deviceId, etag: null }
    case 'deleteIfMatchETag':
      return { kind: 'delete', deviceId, etag: readEtag('etag', etag) }
    case 'updateTwin':
      return { kind: 'patchTwin', deviceId, patch: readPatch(entry), etag: null }
    case 'updateTwinIfMatchETag':
      return { kind: 'patchTwin', deviceId, patch: readPatch(entry), etag: readEtag('twinETag', twinETag) }
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

function readPatch(entry: unknown): TwinPatch {
  return isJsonObject(entry) ? parseTwinPatch(entry) : {}
}

/** The twin that a new device begins with. */
function firstSections({ tags, desired }: TwinPatch): Pick<DeviceDraft, 'tags' | 'desired'> {
  return {
    ...(tags ? { tags: fitting('tags', tags) } : {}),
    ...(desired ? { desired: fitting('desired', desired) } : {}),
  }
}

/** Checked for each device: what the store refuses, it refuses for all of them. */
function fitting(section: Section, members: JsonObject): JsonObject {
  const bytes = sectionSize(members)
  if (bytes > sectionBytes[section]) throw sectionTooLarge(section, bytes)
  return members
}
