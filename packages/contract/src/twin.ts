import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import { isJsonObject, type Json, type JsonObject, numberTooLarge } from './json.ts'
import { limits } from './limits.ts'
import { foldMembers } from './members.ts'
import { type NumberText, noNumberText } from './numbers.ts'

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
const sectionMembers = { tags: null, properties: { desired: null } }

/** Callers that read, change and write a section send `$metadata` and `$version` back. They are no properties. */
const systemKeys = ['$metadata', '$version']

/**
 * Reads the writable sections of a twin body (`{tags, properties: {desired}}`); everything else in it is ignored. `numberText` tells
 * how its numbers were written. Without it every finite number is good.
 * @throws HubError IotHubFormatError for a section that is no object, ArgumentInvalid for a rule of `parseSection`, and for
 * `properties` that hold members and no section.
 */
export function parseTwinPatch(body: JsonObject, numberText: NumberText = noNumberText): TwinPatch {
  const { tags, properties } = foldMembers(body, sectionMembers)
  const desired = desiredOf(properties ?? {}, membersOfProperties(body))
  return {
    ...(tags === undefined ? {} : { tags: parseSection('tags', tags, numberText) }),
    ...(desired === undefined ? {} : { desired: parseSection('desired', desired, numberText) }),
  }
}

function desiredOf(properties: Json, members: readonly string[]): Json | undefined {
  if (!isJsonObject(properties)) {
    throw new HubError('IotHubFormatError', {
      message: `properties must be an object, got ${clip(JSON.stringify(properties))}`,
    })
  }
  if (members.length > 0 && !namesOneOf(members, ['desired', 'reported', ...systemKeys])) {
    throw misplaced(`properties has the ${named(members)}, and no section`)
  }
  return properties.desired
}

function membersOfProperties(body: JsonObject): readonly string[] {
  const { properties } = foldMembers(body, { properties: null })
  return isJsonObject(properties) ? Object.keys(properties) : []
}

/** The members of a twin, as queries name them. */
export const twinMembers = [
  'deviceId',
  'moduleId',
  'etag',
  'deviceEtag',
  'status',
  'statusReason',
  'statusUpdateTime',
  'connectionState',
  'lastActivityTime',
  'cloudToDeviceMessageCount',
  'authenticationType',
  'x509Thumbprint',
  'modelId',
  'version',
  'tags',
  'properties',
  'capabilities',
  'deviceScope',
  'configurations',
] as const

/** These, and what else a body may have that holds a twin as it was read. */
const membersOfBodies = [
  ...twinMembers,
  'statusUpdatedTime',
  'connectionStateUpdatedTime',
  'parentScopes',
  'generationId',
  ...systemKeys,
]

/**
 * Refuses a body that has members, and none of a twin: its writer has put properties in the wrong place, and would never know.
 * @throws HubError ArgumentInvalid that says where they belong
 */
export function requireTwinMembers(body: JsonObject): void {
  const members = Object.keys(body)
  if (members.length === 0 || namesOneOf(members, membersOfBodies)) return
  throw misplaced(`the body has the ${named(members)}, and none of a twin`)
}

function namesOneOf(members: readonly string[], names: readonly string[]): boolean {
  const known = new Set(names.map((name) => name.toLowerCase()))
  return members.some((member) => known.has(member.toLowerCase()))
}

function named(members: readonly string[]): string {
  return `${members.length === 1 ? 'member' : 'members'} ${clip(members.join(', '))}`
}

function misplaced(fault: string): HubError {
  return new HubError('ArgumentInvalid', {
    message: `${fault}; desired properties belong in properties.desired, as in {"properties":{"desired":{"interval":5}}}, and tags in tags`,
  })
}

/**
 * Reads a twin body that replaces a twin, or is the first one. A missing section is empty, and a member that is null is left
 * out.
 * @throws HubError as `parseTwinPatch`
 */
export function parseTwinSections(body: JsonObject, numberText: NumberText = noNumberText): TwinSections {
  const { tags, desired } = parseTwinPatch(body, numberText)
  return { tags: withoutNulls(tags ?? {}), desired: withoutNulls(desired ?? {}) }
}

function withoutNulls(members: JsonObject): JsonObject {
  const kept = Object.entries(members).filter(([, value]) => value !== null)
  return Object.fromEntries(kept.map(([key, value]) => [key, isJsonObject(value) ? withoutNulls(value) : value]))
}

/** One section of a patch, without its system keys, checked. Null clears the section. `numberText` as for `parseTwinPatch`. */
export function parseSection(section: Section, value: Json, numberText: NumberText = noNumberText): JsonObject | null {
  if (value === null) return null
  if (!isJsonObject(value)) {
    throw new HubError('IotHubFormatError', {
      message: `${sectionPath[section]} must be an object, got ${clip(JSON.stringify(value))}`,
    })
  }
  const members = Object.entries(value).filter(([key]) => !systemKeys.includes(key))
  const top = { container: value, path: sectionPath[section], depth: 1, isInList: false, numberText }
  for (const [key, member] of members) checkMember(key, member, top)
  return Object.fromEntries(members)
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

/** Where a check is: the container, its path, and how many levels below the section its members are. */
interface Place {
  readonly container: JsonObject | readonly Json[]
  readonly path: string
  readonly depth: number
  /** Inside a list, at any depth. */
  readonly isInList: boolean
  readonly numberText: NumberText
}

function checkMember(key: string, value: Json, place: Place): void {
  checkKey(key, place.path)
  checkValue(value, key, `${place.path}.${key}`, place)
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

function checkValue(value: Json, key: string, path: string, place: Place): void {
  if (typeof value === 'string') checkText(value, path)
  else if (typeof value === 'number') checkNumber(value, path, place.numberText(place.container, key))
  else if (value === null) checkNull(path, place)
  else if (typeof value === 'object') checkContainer(value, path, place)
}

/** Elsewhere null removes a member. A list is one value, from which nothing can be removed. */
function checkNull(path: string, { isInList }: Place): void {
  if (isInList) throw invalid(path, 'null is not allowed inside a list')
}

function checkContainer(
  container: JsonObject | readonly Json[],
  path: string,
  { depth, isInList, numberText }: Place,
): void {
  if (depth > limits.propertyDepth) throw invalid(path, `it lies more than ${limits.propertyDepth} levels deep`)
  const isList = !isJsonObject(container)
  const inside = { container, path, depth: depth + 1, isInList: isInList || isList, numberText }
  if (isList) {
    for (const [index, element] of container.entries()) {
      checkValue(element, String(index), `${path}[${index}]`, inside)
    }
  } else {
    for (const [key, member] of Object.entries(container)) checkMember(key, member, inside)
  }
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

/** `written`: the number in the text that was sent. With a fraction or an exponent it is a double, whatever its value. */
function checkNumber(value: number, path: string, written: string | undefined): void {
  if (!Number.isFinite(value))
    throw invalid(path, `${numberTooLarge}${written === undefined ? '' : `, got ${clip(written)}`}`)
  if (written === undefined || /[.eE]/.test(written)) return
  if (value < limits.integerMin || value > limits.integerMax) {
    throw invalid(path, `the integer ${clip(written)} must lie between ${limits.integerMin} and ${limits.integerMax}`)
  }
}

function invalid(path: string, rule: string): HubError {
  return new HubError('ArgumentInvalid', { message: `${clip(path)}: ${rule}` })
}

function textBytes(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters do not count
  return Buffer.byteLength(text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ''))
}
