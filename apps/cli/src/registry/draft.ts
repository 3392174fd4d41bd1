import type { Authentication, DeviceDraft } from '@muster/client'
import { type Command, Option } from 'commander'
import type { DeviceOptions } from './device-command.ts'

export interface DraftOptions extends DeviceOptions {
  readonly status?: 'enabled' | 'disabled'
  readonly statusReason?: string
  readonly edgeEnabled?: boolean
  readonly deviceScope?: string
  readonly authMethod?: keyof typeof authenticationTypes
  readonly primaryKey?: string
  readonly secondaryKey?: string
  readonly primaryThumbprint?: string
  readonly secondaryThumbprint?: string
}

const authenticationTypes = {
  shared_private_key: 'sas',
  x509_thumbprint: 'selfSigned',
  x509_ca: 'certificateAuthority',
} as const

/** The options that describe a device. */
export function addDraftOptions(command: Command): Command {
  return command
    .addOption(new Option('--status <status>', 'whether it may connect').choices(['enabled', 'disabled']))
    .option('--status-reason <text>', 'why')
    .option('--edge-enabled', 'it is an edge device')
    .option('--device-scope <scope>', 'the scope of its parent')
    .addOption(
      new Option('--auth-method <method>', 'how it proves who it is').choices(Object.keys(authenticationTypes)),
    )
    .option('--primary-key <base64>', 'by default a new one')
    .option('--secondary-key <base64>', 'by default a new one')
    .option('--primary-thumbprint <hex>', 'of its certificate')
    .option('--secondary-thumbprint <hex>', 'of its next certificate')
}

export function draftOf(options: DraftOptions): DeviceDraft {
  const { status, statusReason, edgeEnabled, deviceScope } = options
  const authentication = authenticationOf(options)
  return {
    ...(status === undefined ? {} : { status }),
    ...(statusReason === undefined ? {} : { statusReason }),
    ...(edgeEnabled === undefined ? {} : { capabilities: { iotEdge: edgeEnabled } }),
    ...(deviceScope === undefined ? {} : { deviceScope }),
    ...(authentication === null ? {} : { authentication }),
  }
}

/** Null: nothing was said. */
function authenticationOf(options: DraftOptions): Authentication | null {
  const { authMethod, primaryKey, secondaryKey, primaryThumbprint, secondaryThumbprint } = options
  const hasThumbprint = primaryThumbprint !== undefined || secondaryThumbprint !== undefined
  const hasKey = primaryKey !== undefined || secondaryKey !== undefined
  if (authMethod === undefined && !hasThumbprint && !hasKey) return null
  return {
    type: authenticationTypes[authMethod ?? (hasThumbprint ? 'x509_thumbprint' : 'shared_private_key')],
    ...(hasKey ? { symmetricKey: { primaryKey: primaryKey ?? null, secondaryKey: secondaryKey ?? null } } : {}),
    ...(hasThumbprint
      ? {
          x509Thumbprint: {
            primaryThumbprint: primaryThumbprint ?? null,
            secondaryThumbprint: secondaryThumbprint ?? null,
          },
        }
      : {}),
  }
}
