import { generateKey } from '@muster/auth'
import {
  authenticationType,
  type IdentityBody,
  type IdentityKey,
  parseKey,
  parseThumbprint,
  thumbprintMissing,
} from '@muster/contract'
import type { Authentication, Identity, IdentitySettings } from '@muster/store'
import { z } from 'zod'

/** Members of an identity that was read. They are not written, but tell that it was. */
export const readOnlyShape = { generationId: z.unknown().optional(), etag: z.unknown().optional() }

/**
 * The identity to store. A member that the body leaves out stays as it is. A new identity is enabled and gets new keys. Empty keys
 * count as left out: clients send them when their caller gives none.
 */
export function draftIdentity(identity: IdentityKey, body: IdentityBody, current: Identity | null): IdentitySettings {
  return {
    identity,
    status: body.status ?? current?.status ?? 'enabled',
    statusReason: body.statusReason === undefined ? (current?.statusReason ?? null) : body.statusReason,
    authentication: draftAuthentication(body.authentication, current?.authentication),
    isEdge: body.capabilities?.iotEdge ?? current?.isEdge ?? false,
    managedBy: body.managedBy === undefined ? (current?.managedBy ?? null) : body.managedBy,
    parentScopes: draftParents(body, current),
  }
}

/**
 * The scopes of the edge devices above a device. The scope of an edge device is its own, and given by the hub. That of any other device
 * is the scope of its parent, so it names the parent, too, and an empty one removes it.
 */
function draftParents(
  { deviceScope, parentScopes, capabilities }: IdentityBody,
  current: Identity | null,
): readonly string[] {
  const isEdge = capabilities?.iotEdge ?? current?.isEdge ?? false
  if (!isEdge && deviceScope) return [deviceScope]
  if (!isEdge && deviceScope === '') return []
  return parentScopes === undefined ? (current?.parentScopes ?? []) : (parentScopes ?? [])
}

/**
 * The body of an update in which the caller asks for new keys: it is an identity as it was read, and a key of it is the empty text. An
 * SDK sends two such keys for a caller who names no keys at all, without the members that only a read identity has.
 */
export function withRenewedKeys(body: IdentityBody, { isAsRead }: { isAsRead: boolean }): IdentityBody {
  const { authentication } = body
  if (authentication?.type !== 'sas' || authentication.symmetricKey == null) return body
  const { primaryKey, secondaryKey } = authentication.symmetricKey
  if (primaryKey === '' && secondaryKey === '' && !isAsRead) return body
  const symmetricKey = {
    primaryKey: primaryKey === '' ? generateKey() : primaryKey,
    secondaryKey: secondaryKey === '' ? generateKey() : secondaryKey,
  }
  return { ...body, authentication: { ...authentication, symmetricKey } }
}

/** The same for a module. Its body has fewer members, because its device decides whether it may connect. */
export function draftModule(identity: IdentityKey, body: IdentityBody, current: Identity | null): IdentitySettings {
  const { authentication, managedBy } = body
  return draftIdentity(identity, { authentication, managedBy }, current)
}

const noCredentials = { primaryKey: null, secondaryKey: null, primaryThumbprint: null, secondaryThumbprint: null }

function draftAuthentication(
  given: IdentityBody['authentication'],
  current: Authentication | undefined,
): Authentication {
  if (given == null && current !== undefined) return current
  const type = authenticationType(given) ?? current?.type ?? 'sas'
  switch (type) {
    case 'sas':
      return {
        ...noCredentials,
        type,
        primaryKey: parseKey('primaryKey', given?.symmetricKey?.primaryKey) ?? current?.primaryKey ?? generateKey(),
        secondaryKey:
          parseKey('secondaryKey', given?.symmetricKey?.secondaryKey) ?? current?.secondaryKey ?? generateKey(),
      }
    case 'selfSigned':
      return { ...noCredentials, type, ...draftThumbprints(given?.x509Thumbprint, current) }
    default:
      return { ...noCredentials, type }
  }
}

type Thumbprints = Pick<Authentication, 'primaryThumbprint' | 'secondaryThumbprint'>

/** If both thumbprints are left out, they stay as they are. An empty one beside another is removed. */
function draftThumbprints(
  given: Partial<Record<keyof Thumbprints, string | null | undefined>> | null | undefined,
  current: Authentication | undefined,
): Thumbprints {
  const primaryThumbprint = parseThumbprint('primaryThumbprint', given?.primaryThumbprint)
  const secondaryThumbprint = parseThumbprint('secondaryThumbprint', given?.secondaryThumbprint)
  if (primaryThumbprint !== null || secondaryThumbprint !== null) return { primaryThumbprint, secondaryThumbprint }
  if (current?.type === 'selfSigned') {
    return { primaryThumbprint: current.primaryThumbprint, secondaryThumbprint: current.secondaryThumbprint }
  }
  throw thumbprintMissing()
}
