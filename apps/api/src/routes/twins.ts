import { clip, HubError, isJsonObject, parseDeviceId, parseTwinPatch, type TwinPatch } from '@muster/contract'
import { readTwin } from '@muster/store'
import type { Deps, Endpoint } from '../endpoint.ts'
import { etagHeader, readIfMatch } from '../etag.ts'
import { foldMembers, readJson } from '../json-body.ts'
import { patchAndPush } from '../patch-twin.ts'
import { jsonReply } from '../reply.ts'
import { twinPatchSchema, twinSchema } from '../schemas.ts'
import { unknownDevice } from '../unknown-device.ts'

export function twinRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/twins/{deviceId}',
      summary: 'Read a twin',
      permission: 'ServiceConnect',
      reply: twinSchema,
      async handle(c) {
        const deviceId = parseDeviceId(c.req.param('deviceId') ?? '')
        const twin = await readTwin(deps.db, deviceId)
        if (twin === null) throw unknownDevice(deviceId)
        return jsonReply(200, twin, etagHeader(String(twin.etag)))
      },
    },
    {
      method: 'patch',
      path: '/twins/{deviceId}',
      summary: 'Merge a patch into the tags and desired properties of a twin',
      permission: 'ServiceConnect',
      headers: { 'if-match': 'The etag of the twin that is to be patched; * or nothing: whatever it is' },
      body: twinPatchSchema,
      reply: twinSchema,
      async handle(c) {
        const deviceId = parseDeviceId(c.req.param('deviceId') ?? '')
        const patch = readPatch(await readJson(c))
        const { twin, etag } = await patchAndPush(deps, deviceId, { patch, etag: readIfMatch(c).etag })
        return jsonReply(200, twin, etagHeader(etag))
      },
    },
  ]
}

/** The sections of a twin body; whatever else a caller sends back of what it has read is ignored. */
function readPatch(body: unknown): TwinPatch {
  const folded = foldMembers(body, ['tags', 'properties'])
  if (isJsonObject(folded)) return parseTwinPatch(folded)
  if (folded === undefined)
    throw new HubError('ArgumentNull', { message: 'the body is missing; expected a twin patch' })
  throw new HubError('IotHubFormatError', {
    message: `the body must be an object, got ${clip(JSON.stringify(folded))}`,
  })
}
