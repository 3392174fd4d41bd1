import { generateKey } from '@muster/auth'
import { type DeviceId, HubError } from '@muster/contract'
import type { Device, DeviceAuthentication, DeviceIdentity } from '@muster/store'
import { z } from 'zod'

const statusReasonLength = 128
const optionalText = z.string().nullish()

export const plainText = z.string().regex(/^\P{Cc}*$/u, { error: 'a text without control characters' })

/** What may be written of an identity. Keys are checked apart, so that no message can repeat one. */
export const identitySchema = z.object({
  status: z.preprocess(lowerCase, z.enum(['enabled', 'disabled']).nullish()),
  statusReason: plainText.max(statusReasonLength).nullish(),
  authentication: z
    .object({
      type: z.enum(['sas', 'selfSigned', 'certificateAuthority', 'none']).nullish(),
      symmetricKey: z.object({ primaryKey: optionalText, secondaryKey: optionalText }).nullish(),
      x509Thumbprint: z.object({ primaryThumbprint: optionalText, secondaryThumbprint: optionalText }).nullish(),
    })
    .nullish(),
  capabilities: z.object({ iotEdge: z.boolean().nullish() }).nullish(),
})

export type Identity = z.output<typeof identitySchema>

/**
 * What is to be stored. A member that the body leaves out stays as it is; a new identity is enabled, with keys of its own.
 * Keys that are empty are kept too, or made: clients fill in empty ones when their caller gives none.
 */
export function draftDevice(deviceId: DeviceId, identity: Identity, current: Device | null): DeviceIdentity {
  return {
    deviceId,
    status: identity.status ?? current?.status ?? 'enabled',
    statusReason: identity.statusReason === undefined ? (current?.statusReason ?? null) : identity.statusReason,
    authentication: draftAuthentication(identity.authentication, current?.authentication),
    isEdge: identity.capabilities?.iotEdge ?? current?.isEdge ?? false,
  }
}

const noCredentials = { primaryKey: null, secondaryKey: null, primaryThumbprint: null, secondaryThumbprint: null }

function draftAuthentication(
  given: Identity['authentication'],
  current: DeviceAuthentication | undefined,
): DeviceAuthentication {
  if (given == null && current !== undefined) return current
  const thumbprints = given?.x509Thumbprint
  const type = given?.type ?? (thumbprints?.primaryThumbprint ? 'selfSigned' : 'sas')
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
      return {
        ...noCredentials,
        type,
        primaryThumbprint: readThumbprint('primaryThumbprint', thumbprints?.primaryThumbprint),
        secondaryThumbprint: readThumbprint('secondaryThumbprint', thumbprints?.secondaryThumbprint),
      }
    default:
      return { ...noCredentials, type }
  }
}

function readKey(member: 'primaryKey' | 'secondaryKey', text: string | null | undefined): string | null {
  if (!text) return null
  if (z.base64().safeParse(text).success) return text
  throw new HubError('ArgumentInvalid', {
    message: `authentication.symmetricKey.${member} must be base64, or empty for a key of the hub's making`,
  })
}

function readThumbprint(
  member: 'primaryThumbprint' | 'secondaryThumbprint',
  text: string | null | undefined,
): string | null {
  if (!text) return null
  if (/^([\dA-Fa-f]{40}|[\dA-Fa-f]{64})$/.test(text)) return text
  throw new HubError('ArgumentInvalid', {
    message: `authentication.x509Thumbprint.${member} must be 40 or 64 hexadecimal digits`,
  })
}

function lowerCase(value: unknown): unknown {
  return typeof value === 'string' ? value.toLowerCase() : value
}
