import { generateKey } from '@muster/auth'
import { clip, HubError, type IdentityKey } from '@muster/contract'
import type { Authentication, Identity, IdentitySettings } from '@muster/store'
import { z } from 'zod'

const statusReasonLength = 128
const managedByLength = 128
const optionalText = z.string().nullish()
const authenticationTypes = ['sas', 'selfSigned', 'certificateAuthority', 'none'] as const

export const plainText = z.string().regex(/^\P{Cc}*$/u, { error: 'a text without control characters' })

const scopeRule = 'the deviceScope of an edge device, such as ms-azure-iot-edge://<device id>-<generation id>'
const scope = z.string().regex(/^ms-azure-iot-edge:\/\/.{1,128}-\d{1,20}$/, { error: scopeRule })
/** Azure IoT Hub takes one. */
const parentScopesMax = 16

/** The members of an identity that a caller may write. Keys are checked separately, so that no error text can repeat one. */
export const identityBodySchema = z.object({
  status: anyCase(['enabled', 'disabled']).nullish(),
  statusReason: plainText.max(statusReasonLength).nullish(),
  authentication: z
    .object({
      type: anyCase(authenticationTypes).nullish(),
      symmetricKey: z.object({ primaryKey: optionalText, secondaryKey: optionalText }).nullish(),
      x509Thumbprint: z.object({ primaryThumbprint: optionalText, secondaryThumbprint: optionalText }).nullish(),
    })
    .nullish(),
  capabilities: z.object({ iotEdge: z.boolean().nullish() }).nullish(),
  deviceScope: z.union([z.literal(''), scope], { error: scopeRule }).nullish(),
  parentScopes: z.array(scope).max(parentScopesMax).nullish(),
  managedBy: plainText.max(managedByLength).nullish(),
})

/** Members of an identity that was read. They are not written, but tell that it was. */
export const readOnlyShape = { generationId: z.unknown().optional(), etag: z.unknown().optional() }

export type IdentityBody = z.output<typeof identityBodySchema>

/** One of these words, in any letter case. */
export function anyCase<const Words extends readonly string[]>(words: Words) {
  return z.preprocess(
    (value) => (typeof value === 'string' ? (words.find((word) => isSame(word, value)) ?? value) : value),
    z.enum(words),
  )
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}

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
  const type = given?.type ?? impliedType(given) ?? current?.type ?? 'sas'
  switch (type) {
    case 'sas':
      return {
        ...noCredentials,
        type,
        primaryKey: readKey('primaryKey', given?.symmetricKey?.primaryKey) ?? current?.primaryKey ?? generateKey(),
        secondaryKey:
          readKey('secondaryKey', given?.symmetricKey?.secondaryKey) ?? current?.secondaryKey ?? generateKey(),
      }
    case 'selfSigned':
      return { ...noCredentials, type, ...draftThumbprints(given?.x509Thumbprint, current) }
    default:
      return { ...noCredentials, type }
  }
}

/** The type that credentials imply, because old clients know no types. Null when there are no credentials. */
function impliedType(given: IdentityBody['authentication']): 'selfSigned' | 'sas' | null {
  const { x509Thumbprint, symmetricKey } = given ?? {}
  if (x509Thumbprint?.primaryThumbprint || x509Thumbprint?.secondaryThumbprint) return 'selfSigned'
  return symmetricKey?.primaryKey || symmetricKey?.secondaryKey ? 'sas' : null
}

function readKey(member: 'primaryKey' | 'secondaryKey', text: string | null | undefined): string | null {
  if (!text) return null
  if (z.base64().safeParse(text).success) return text
  throw new HubError('ArgumentInvalid', {
    message: `authentication.symmetricKey.${member} must be base64, or empty to let the hub make it`,
  })
}

type Thumbprints = Pick<Authentication, 'primaryThumbprint' | 'secondaryThumbprint'>

/** If both thumbprints are left out, they stay as they are. An empty one beside another is removed. */
function draftThumbprints(
  given: Partial<Record<keyof Thumbprints, string | null | undefined>> | null | undefined,
  current: Authentication | undefined,
): Thumbprints {
  const primaryThumbprint = readThumbprint('primaryThumbprint', given?.primaryThumbprint)
  const secondaryThumbprint = readThumbprint('secondaryThumbprint', given?.secondaryThumbprint)
  if (primaryThumbprint !== null || secondaryThumbprint !== null) return { primaryThumbprint, secondaryThumbprint }
  if (current?.type === 'selfSigned') {
    return { primaryThumbprint: current.primaryThumbprint, secondaryThumbprint: current.secondaryThumbprint }
  }
  throw new HubError('ArgumentNull', {
    message:
      'authentication.x509Thumbprint.primaryThumbprint is missing; it, or secondaryThumbprint, must be the thumbprint of a certificate',
  })
}

function readThumbprint(member: keyof Thumbprints, text: string | null | undefined): string | null {
  if (!text) return null
  if (/^([\dA-Fa-f]{40}|[\dA-Fa-f]{64})$/.test(text)) return text.toUpperCase()
  throw new HubError('ArgumentInvalid', {
    message: `authentication.x509Thumbprint.${member} must be 40 or 64 hexadecimal digits, got "${clip(text, 80)}"`,
  })
}
