import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import { isJsonObject, type Json, type JsonObject, numberTooLarge } from './json.ts'
import { limits } from './limits.ts'
import { foldMembers } from './members.ts'

/** A merge into a twin. `null` for a section clears it. An absent section stays as it is. */
export interface TwinPatch {
  readonly tags?: JsonObject | null
  readonly desired?: JsonObject | null
}

/** The sections that the back end writes, whole. */
export interface TwinSections {
  readonly tags: JsonObject
  readonly desired: JsonObject
}

export type Section = 'tags' | 'desired' | 'reported'

export const sectionBytes: Record<Section, number> = {
  tags: limits.tagsBytes,
  desired: limits.propertiesBytes,
  reported: limits.propertiesBytes,
}

const sectionPath: Record<Section, string> = {
  tags: 'tags',
  desired: 'properties.desired',
  reported: 'properties.reported',
}

/** Their names may have any letter case. The keys in the sections must be exact. */
const twinMembers = { tags: null, properties: { desired: null } }

/** Callers that read, change and write a section send `$metadata` and `$version` back. They are no properties. */
const systemKeys = ['$metadata', '$version']

/**
 * Reads the writable sections of a twin body (`{tags, properties: {desired}}`); everything else in it is ignored.
 * @throws HubError IotHubFormatError for a section that is no object, ArgumentInvalid for a rule of `checkPatch`.
 */
export function parseTwinPatch(body: JsonObject): TwinPatch {
  const { tags, properties } = foldMembers(body, twinMembers)
  const desired = desiredOf(properties ?? {})
  return {
    ...(tags === undefined ? {} : { tags: parseSection('tags', tags) }),
    ...(desired === undefined ? {} : { desired: parseSection('desired', desired) }),
  }
}

function desiredOf(properties: Json): Json | undefined {
  if (isJsonObject(properties)) return properties.desired
  throw new HubError('IotHubFormatError', {
    message: `properties must be an object, got ${clip(JSON.stringify(properties))}`,
  })
}

/**
 * Reads a twin body that replaces a twin, or is the first one. A missing section is empty, and a member that is null is left
 * out.
 * @throws HubError as `parseTwinPatch`
 */
export function parseTwinSections(body: JsonObject): TwinSections {
  const { tags, desired } = parseTwinPatch(body)
  return { tags: withoutNulls(tags ?? {}), desired: withoutNulls(desired ?? {}) }
}

function withoutNulls(members: JsonObject): JsonObject {
  const kept = Object.entries(members).filter(([, value]) => value !== null)
  return Object.fromEntries(kept.map(([key, value]) => [key, isJsonObject(value) ? withoutNulls(value) : value]))
}

/** One section of a patch, without its system keys, checked. Null clears the section. */
export function parseSection(section: Section, value: Json): JsonObject | null {
  if (value === null) return null
  if (!isJsonObject(value)) {
    throw new HubError('IotHubFormatError', {
      message: `${sectionPath[section]} must be an object, got ${clip(JSON.stringify(value))}`,
    })
  }
  const members = Object.fromEntries(Object.entries(value).filter(([key]) => !systemKeys.includes(key)))
  checkMembers(members, sectionPath[section], 1)
  return members
}

/**
 * Size of a section as the limits count it: keys and strings by UTF-8 length, numbers 8 bytes, booleans 4, null 0, control
 * characters not counted.
 */
export function sectionSize(value: Json): number {
  if (typeof value === 'string') return textBytes(value)
  if (typeof value === 'number') return 8
  if (typeof value === 'boolean') return 4
  if (value === null) return 0
  if (!isJsonObject(value)) return value.reduce<number>((sum, element) => sum + sectionSize(element), 0)
  return Object.entries(value).reduce((sum, [key, member]) => sum + textBytes(key) + sectionSize(member), 0)
}

export function sectionTooLarge(section: Section, bytes: number): HubError {
  return new HubError('ArgumentInvalid', {
    message: `${sectionPath[section]} would take ${bytes} bytes; at most ${sectionBytes[section]} are allowed`,
  })
}

function checkMembers(members: JsonObject, path: string, depth: number): void {
  for (const [key, value] of Object.entries(members)) {
    checkKey(key, path)
    checkValue(value, `${path}.${key}`, depth)
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the rule forbids exactly these
const forbiddenInKey = /[\u0000-\u001f\u007f-\u009f.$ ]/

function checkKey(key: string, path: string): void {
  if (key === '' || forbiddenInKey.test(key) || !key.isWellFormed()) {
    throw invalid(path, `the key "${clip(key)}" must not be empty or contain a control character, ".", "$" or a space`)
  }
  if (Buffer.byteLength(key) > limits.propertyKeyBytes) {
    throw invalid(path, `the key "${clip(key, 40)}" takes over ${limits.propertyKeyBytes} bytes`)
  }
}

function checkValue(value: Json, path: string, depth: number): void {
  if (typeof value === 'string') checkText(value, path)
  else if (typeof value === 'number') checkNumber(value, path)
  else if (isJsonObject(value)) checkNested(path, depth, () => checkMembers(value, path, depth + 1))
  else if (Array.isArray(value)) checkNested(path, depth, () => checkElements(value, path, depth + 1))
}

function checkNested(path: string, depth: number, check: () => void): void {
  if (depth > limits.propertyDepth) throw invalid(path, `it lies more than ${limits.propertyDepth} levels deep`)
  check()
}

function checkElements(elements: readonly Json[], path: string, depth: number): void {
  for (const [index, element] of elements.entries()) checkValue(element, `${path}[${index}]`, depth)
}

function checkText(value: string, path: string): void {
  const bytes = Buffer.byteLength(value)
  if (bytes > limits.propertyValueBytes)
    throw invalid(path, `its text takes ${bytes} bytes; at most ${limits.propertyValueBytes} are allowed`)
  // Neither Postgres' jsonb nor the devices' C strings can hold them.
  if (value.includes('\u0000') || !value.isWellFormed()) {
    throw invalid(path, 'its text must not contain U+0000 or half of a surrogate pair')
  }
}

function checkNumber(value: number, path: string): void {
  if (!Number.isFinite(value)) throw invalid(path, numberTooLarge)
  if (Number.isInteger(value) && (value < limits.integerMin || value > limits.integerMax)) {
    throw invalid(path, `the integer ${value} must lie between ${limits.integerMin} and ${limits.integerMax}`)
  }
}

function invalid(path: string, rule: string): HubError {
  return new HubError('ArgumentInvalid', { message: `${clip(path)}: ${rule}` })
}

function textBytes(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters do not count
  return Buffer.byteLength(text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ''))
}
