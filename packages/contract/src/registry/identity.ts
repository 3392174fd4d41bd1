import { z } from 'zod'
import { clip } from '../clip.ts'
import { HubError } from '../errors.ts'

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

type Credentials = NonNullable<IdentityBody['authentication']>

/** The type that a body asks for, or that its credentials imply, because old clients know no types. Null: neither. */
export function authenticationType(given: Credentials | null | undefined): Credentials['type'] | null {
  const { type, x509Thumbprint, symmetricKey } = given ?? {}
  if (type) return type
  if (x509Thumbprint?.primaryThumbprint || x509Thumbprint?.secondaryThumbprint) return 'selfSigned'
  return symmetricKey?.primaryKey || symmetricKey?.secondaryKey ? 'sas' : null
}

/** Null: the body leaves it out. @throws HubError ArgumentInvalid */
export function parseKey(member: 'primaryKey' | 'secondaryKey', text: string | null | undefined): string | null {
  if (!text) return null
  if (z.base64().safeParse(text).success) return text
  throw new HubError('ArgumentInvalid', {
    message: `authentication.symmetricKey.${member} must be base64, or empty to let the hub make it`,
  })
}

/** In capital letters. Null: the body leaves it out. @throws HubError ArgumentInvalid */
export function parseThumbprint(
  member: 'primaryThumbprint' | 'secondaryThumbprint',
  text: string | null | undefined,
): string | null {
  if (!text) return null
  if (/^([\dA-Fa-f]{40}|[\dA-Fa-f]{64})$/.test(text)) return text.toUpperCase()
  throw new HubError('ArgumentInvalid', {
    message: `authentication.x509Thumbprint.${member} must be 40 or 64 hexadecimal digits, got "${clip(text, 80)}"`,
  })
}

export function thumbprintMissing(): HubError {
  return new HubError('ArgumentNull', {
    message:
      'authentication.x509Thumbprint.primaryThumbprint is missing; it, or secondaryThumbprint, must be the thumbprint of a certificate',
  })
}
