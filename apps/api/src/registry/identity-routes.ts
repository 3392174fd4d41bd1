import type { IdentityBody, IdentityKey, JsonObject } from '@muster/contract'
import type { Identity } from '@muster/store'
import type { ZodType } from 'zod'
import type { ApiContext, Deps, Endpoint, Example } from '../http/endpoint.ts'
import { etagHeader, readIfMatch } from '../http/etag.ts'
import { jsonReply } from '../http/reply.ts'
import { putIdentity, readExisting, removeIdentity } from './identities.ts'

/** In what the addresses of devices and of modules differ. */
interface Kind {
  readonly noun: 'device' | 'module'
  readonly path: string
  readonly summaries: { readonly put: string; readonly delete: string }
  readonly examples: { readonly put: Example; readonly delete: Example }
  readonly body: ZodType
  readonly reply: ZodType
  /** The identity that the path names. @throws HubError ArgumentInvalid */
  addressed(c: ApiContext): IdentityKey
  /** The body of a PUT, without the ids. @throws HubError ArgumentInvalid when an id is another one than that of the path */
  readBody(c: ApiContext, identity: IdentityKey): { readonly body: IdentityBody; readonly isAsRead: boolean }
  toJson(identity: Identity): JsonObject
}

/** PUT, GET and DELETE of one identity. */
export function identityRoutes(
  deps: Deps,
  { noun, path, summaries, examples, body, reply, addressed, readBody, toJson }: Kind,
): readonly Endpoint[] {
  const name = noun === 'device' ? 'Device' : 'Module'
  const answer = (identity: Identity) => jsonReply(200, toJson(identity), etagHeader(identity.etag))
  return [
    {
      method: 'put',
      path,
      operationId: `put${name}`,
      summary: summaries.put,
      permission: 'RegistryWrite',
      throttle: 'registryOperations',
      headers: { 'if-match': `Update: the etag of the ${noun}, or * for whatever it is. Nothing: create` },
      example: examples.put,
      body,
      reply,
      async handle(c) {
        const identity = addressed(c)
        const { body, isAsRead } = readBody(c, identity)
        return answer(await putIdentity(deps, { identity, body, isAsRead, ifMatch: readIfMatch(c) }))
      },
    },
    {
      method: 'get',
      path,
      operationId: `get${name}`,
      summary: `Read a ${noun}`,
      permission: 'RegistryRead',
      throttle: 'registryOperations',
      reply,
      handle: async (c) => answer(await readExisting(deps, addressed(c))),
    },
    {
      method: 'delete',
      path,
      operationId: `delete${name}`,
      summary: summaries.delete,
      permission: 'RegistryWrite',
      throttle: 'registryOperations',
      headers: { 'if-match': `The etag of the ${noun}; * or nothing: whatever it is` },
      example: examples.delete,
      reply: null,
      async handle(c) {
        await removeIdentity(deps, addressed(c), readIfMatch(c).etag)
        return new Response(null, { status: 204 })
      },
    },
  ]
}
