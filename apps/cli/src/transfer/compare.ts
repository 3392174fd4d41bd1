import { isDeepStrictEqual } from 'node:util'
import { type Client, MusterError } from '@muster/client'
import {
  isJsonObject,
  type Json,
  type JsonObject,
  limits,
  parseNewTwin,
  parseRegistryEntry,
  partsOf,
} from '@muster/contract'
import pLimit from 'p-limit'
import { type Entry, isModule } from '../files/entry.ts'

/** What the hub has otherwise than the file. */
export interface Difference {
  readonly entry: Entry
  /** Such as `status` and `tags`. Empty: everything that the file says is so. Null: it does not exist any more. */
  readonly members: readonly string[] | null
}

const readsAtOnce = 8

/** Compares entries with what exists. A member that the file leaves out may be anything. */
export async function compareWithHub(
  client: Client,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<readonly Difference[]> {
  const twins = await readTwins(client, entries, signal)
  const limit = pLimit(readsAtOnce)
  return Promise.all(
    entries.map((entry) =>
      limit(async () => ({ entry, members: await compare(client, entry, twins.get(entry.identity), signal) })),
    ),
  )
}

async function compare(
  client: Client,
  entry: Entry,
  known: JsonObject | undefined,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  try {
    const twin = known ?? (await readTwin(client, entry, signal))
    return differing(wantedOf(entry.body), await actualOf(client, entry, twin, signal))
  } catch (error) {
    if (error instanceof MusterError && error.status === 404) return null
    throw error
  }
}

/** Those of devices, many at a time. */
async function readTwins(
  client: Client,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, JsonObject>> {
  const twins = new Map<string, JsonObject>()
  const ids = entries.filter((entry) => !isModule(entry)).map(({ identity }) => identity)
  for (const list of listsOf(ids)) {
    for await (const twin of client.query(`SELECT * FROM devices WHERE deviceId IN [${list}]`, { signal })) {
      twins.set(String(twin.deviceId), twin)
    }
  }
  return twins
}

const wordsOfQuery = 100

/** Each is short enough for a query. */
function* listsOf(ids: readonly string[]): Generator<string> {
  let list = ''
  for (const id of ids) {
    const quoted = JSON.stringify(id)
    if (list.length + quoted.length + wordsOfQuery > limits.queryLength) {
      yield list
      list = ''
    }
    list += list === '' ? quoted : `,${quoted}`
  }
  if (list !== '') yield list
}

async function readTwin(client: Client, { identity }: Entry, signal: AbortSignal): Promise<JsonObject> {
  const { deviceId, moduleId } = partsOf(identity)
  return plain(await client.twins.get(moduleId === null ? deviceId : { deviceId, moduleId }, { signal }))
}

/** A twin tells everything of an identity but its keys and who manages it. Those are read only when the file names them. */
async function actualOf(client: Client, entry: Entry, twin: JsonObject, signal: AbortSignal): Promise<JsonObject> {
  const { deviceId, moduleId } = partsOf(entry.identity)
  const { tags = {}, properties, authenticationType = null, x509Thumbprint = null, ...members } = twin
  const desired = isJsonObject(properties ?? null) ? withoutSystemKeys(memberOf(properties, 'desired')) : {}
  const actual = { ...members, tags, desired, authentication: { type: authenticationType, x509Thumbprint } }
  if (moduleId !== null) return { ...actual, ...plain(await client.modules.get(deviceId, moduleId, { signal })) }
  const hasKeys = isJsonObject(memberOf(entry.body.authentication, 'symmetricKey'))
  return hasKeys ? { ...actual, ...plain(await client.devices.get(deviceId, { signal })) } : actual
}

/** The members of an entry that the hub keeps, in its spelling. */
function wantedOf(body: JsonObject): JsonObject {
  const { id, moduleId, importMode, etag, twinETag, tags, properties, ...members } = parseRegistryEntry(body).entry
  const twin = parseNewTwin(body)
  return {
    ...plain(members),
    ...(tags === undefined ? {} : { tags: twin.tags }),
    ...(properties === undefined ? {} : { desired: twin.desired }),
  }
}

function differing(wanted: JsonObject, actual: JsonObject): readonly string[] {
  return Object.entries(wanted).flatMap(([name, value]) => {
    const isSame = name === 'authentication' ? hasCredentials : isDeepStrictEqual
    return value === null || isSame(actual[name] ?? null, value) ? [] : [name]
  })
}

/** Credentials that a file leaves out, or has as an empty text, may be any. */
function hasCredentials(actual: Json, wanted: Json): boolean {
  if (wanted === null || wanted === '') return true
  if (!isJsonObject(wanted)) return actual === wanted || String(actual) === String(wanted).toUpperCase()
  return Object.entries(wanted).every(([name, value]) => hasCredentials(memberOf(actual, name), value))
}

function memberOf(value: Json | undefined, name: string): Json {
  return value !== undefined && isJsonObject(value) ? (value[name] ?? null) : null
}

function withoutSystemKeys(desired: Json): JsonObject {
  return isJsonObject(desired)
    ? Object.fromEntries(Object.entries(desired).filter(([key]) => !key.startsWith('$')))
    : {}
}

/** As it went over the wire. */
function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value))
}
