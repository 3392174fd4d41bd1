import { z } from 'zod'
import { clip } from '../clip.ts'
import { HubError } from '../errors.ts'
import { type IdentityKey, moduleKey, parseDeviceId, parseModuleId } from '../ids.ts'
import { isJsonObject, type JsonObject } from '../json.ts'
import { limits } from '../limits.ts'
import { foldMembers } from '../members.ts'
import type { NumberText } from '../numbers.ts'
import { parseBody } from '../schemas.ts'
import { parseTwinSections, sectionBytes, sectionSize, sectionTooLarge, type TwinSections } from '../twin.ts'
import {
  anyCase,
  authenticationType,
  identityBodySchema,
  parseKey,
  parseThumbprint,
  plainText,
  thumbprintMissing,
} from './identity.ts'

const importModes = [
  'create',
  'update',
  'updateIfMatchETag',
  'delete',
  'deleteIfMatchETag',
  'updateTwin',
  'updateTwinIfMatchETag',
] as const

/** One entry of a bulk request: a change of a device or a module, with its twin. */
export const registryEntrySchema = identityBodySchema.extend({
  id: z.string(),
  moduleId: z.string().nullish(),
  importMode: anyCase(importModes),
  etag: plainText.nullish(),
  twinETag: plainText.nullish(),
  tags: z.unknown().optional(),
  properties: z.unknown().optional(),
})

export type RegistryEntry = z.output<typeof registryEntrySchema>

/** The identity that an entry names, as its writer wrote it. Empty: it names none. */
export function namesOf(entry: unknown): { readonly deviceId: string; readonly moduleId: string | null } {
  const { id, moduleId } = isJsonObject(entry) ? foldMembers(entry, { id: null, moduleId: null }) : {}
  return { deviceId: textOr('', id), moduleId: textOr(null, moduleId) || null }
}

function textOr<Other>(other: Other, value: unknown): string | Other {
  return typeof value === 'string' ? value : other
}

/**
 * Reads an entry of a bulk request.
 * @throws HubError of `parseBody`, ArgumentInvalid for an id, MessageTooLarge for an entry larger than a request of its own may be
 */
export function parseRegistryEntry(entry: unknown): { readonly identity: IdentityKey; readonly entry: RegistryEntry } {
  const parsed = parseBody(registryEntrySchema, withinRequest('the entry', entry))
  const deviceId = parseDeviceId(parsed.id)
  const identity = parsed.moduleId ? moduleKey(deviceId, parseModuleId(parsed.moduleId)) : deviceId
  return { identity, entry: parsed }
}

/**
 * Checks a part of a large body: the part may be as large as a request of its own, and no larger.
 * @throws HubError MessageTooLarge
 */
export function withinRequest(name: string, part: unknown): unknown {
  const bytes = Buffer.byteLength(JSON.stringify(part) ?? '')
  if (bytes <= limits.requestBodyBytes) return part
  throw new HubError('MessageTooLarge', {
    message: `${name} takes ${bytes} bytes of JSON; at most ${limits.requestBodyBytes} are allowed`,
  })
}

/**
 * The sections of a new twin, checked by their sizes too.
 * @throws HubError as `parseTwinSections`, and ArgumentInvalid for a section that is too large
 */
export function parseNewTwin(body: JsonObject, numberText?: NumberText): TwinSections {
  const sections = parseTwinSections(body, numberText)
  for (const section of ['tags', 'desired'] as const) {
    const bytes = sectionSize(sections[section])
    if (bytes > sectionBytes[section]) throw sectionTooLarge(section, bytes)
  }
  return sections
}

/**
 * Checks an entry that creates a device or a module by every rule that needs no look into the registry. So who imports a file can check
 * it whole before the first request.
 * @throws HubError that the hub would answer for this entry
 */
export function checkNewEntry(body: unknown, numberText?: NumberText): IdentityKey {
  const { identity, entry } = parseRegistryEntry(body)
  if (entry.importMode !== 'create') {
    throw new HubError('ArgumentInvalid', {
      message: `importMode must be create, or left out, got "${clip(entry.importMode)}"`,
    })
  }
  checkCredentials(entry.authentication)
  parseNewTwin(isJsonObject(body) ? body : {}, numberText)
  return identity
}

function checkCredentials(given: RegistryEntry['authentication']): void {
  const type = authenticationType(given) ?? 'sas'
  if (type === 'sas') {
    parseKey('primaryKey', given?.symmetricKey?.primaryKey)
    parseKey('secondaryKey', given?.symmetricKey?.secondaryKey)
  }
  if (type === 'selfSigned') {
    const primary = parseThumbprint('primaryThumbprint', given?.x509Thumbprint?.primaryThumbprint)
    const secondary = parseThumbprint('secondaryThumbprint', given?.x509Thumbprint?.secondaryThumbprint)
    if (primary === null && secondary === null) throw thumbprintMissing()
  }
}
