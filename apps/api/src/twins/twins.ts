import {
  clip,
  HubError,
  isJsonObject,
  type JsonObject,
  type NumberText,
  parseTwinPatch,
  parseTwinSections,
  requireTwinMembers,
} from '@muster/contract'
import { readTwin } from '@muster/store'
import { addressedIdentity } from '../http/address.ts'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { etagHeader, readIfMatch } from '../http/etag.ts'
import { readDocument } from '../http/json-body.ts'
import { jsonReply } from '../http/reply.ts'
import { twinPatchSchema, twinSchema } from '../http/schemas.ts'
import { unknownIdentity } from '../http/unknown-identity.ts'
import { patchAndNotify, replaceAndNotify } from './change-twin.ts'

export function twinRoutes(deps: Deps): readonly Endpoint[] {
  return [
    ...routesOf(deps, '/twins/{deviceId}', 'Device'),
    ...routesOf(deps, '/twins/{deviceId}/modules/{moduleId}', 'Module'),
  ]
}

function routesOf(deps: Deps, path: string, noun: 'Device' | 'Module'): readonly Endpoint[] {
  const whose = `a ${noun.toLowerCase()}`
  const headers = { 'if-match': 'The etag of the twin that is to be changed; * or nothing: whatever it is' }
  return [
    {
      method: 'get',
      path,
      operationId: `get${noun}Twin`,
      summary: `Read the twin of ${whose}`,
      permission: 'ServiceConnect',
      throttle: 'twinReads',
      reply: twinSchema,
      async handle(c) {
        const identity = addressedIdentity(c)
        const twin = await readTwin(deps.db, identity)
        if (twin === null) throw await unknownIdentity(deps.db, identity)
        return jsonReply(200, twin, etagHeader(String(twin.etag)))
      },
    },
    {
      method: 'patch',
      path,
      operationId: `update${noun}Twin`,
      summary: `Merge a patch into the tags and desired properties of ${whose}`,
      permission: 'ServiceConnect',
      throttle: 'twinUpdates',
      headers,
      example: { body: { tags: { floor: 3 }, properties: { desired: { interval: 60 } } } },
      body: twinPatchSchema,
      reply: twinSchema,
      async handle(c) {
        const identity = addressedIdentity(c)
        const patch = parseTwinPatch(...readTwinBody(c))
        const { twin, etag } = await patchAndNotify(deps, identity, { patch, etag: readIfMatch(c).etag })
        return jsonReply(200, twin, etagHeader(etag))
      },
    },
    {
      method: 'put',
      path,
      operationId: `replace${noun}Twin`,
      summary: `Replace the tags and desired properties of ${whose}; a section that is left out is cleared`,
      permission: 'ServiceConnect',
      throttle: 'twinUpdates',
      headers,
      example: { body: { tags: { building: 43, floor: 3 }, properties: { desired: { interval: 60 } } } },
      body: twinPatchSchema,
      reply: twinSchema,
      async handle(c) {
        const identity = addressedIdentity(c)
        const sections = parseTwinSections(...readTwinBody(c))
        const { twin, etag } = await replaceAndNotify(deps, identity, { sections, etag: readIfMatch(c).etag })
        return jsonReply(200, twin, etagHeader(etag))
      },
    },
  ]
}

/** The body of a twin request. A caller may send a whole twin back; all but the sections is ignored. */
function readTwinBody(c: ApiContext): [body: JsonObject, numberText: NumberText] {
  const { body, numberText } = readDocument(c)
  if (isJsonObject(body)) {
    requireTwinMembers(body)
    return [body, numberText]
  }
  if (body === undefined) throw new HubError('ArgumentNull', { message: 'the body is missing; expected a twin' })
  throw new HubError('IotHubFormatError', {
    message: `the body must be an object, got ${clip(JSON.stringify(body))}`,
  })
}
