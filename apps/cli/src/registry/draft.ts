import type { AuthenticationDraft, DeviceDraft } from '@muster/client'
import { type Command, Option } from 'commander'
import type { DeviceOptions } from './device-command.ts'

export interface DraftOptions extends DeviceOptions {
  readonly status?: 'enabled' | 'disabled'
  readonly statusReason?: string
  readonly edgeEnabled?: 'true' | 'false'
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
    .addOption(new Option('--sta, --status <status>', 'whether it may connect').choices(['enabled', 'disabled']))
    .option('--star, --status-reason <text>', 'why')
    .addOption(
      new Option('--ee, --edge-enabled [flag]', 'whether it is an edge device')
        .choices(['true', 'false'])
        .preset('true'),
    )
    .option('--device-scope <scope>', 'the scope of its parent')
    .addOption(
      new Option('--am, --auth-method <method>', 'how it proves who it is').choices(Object.keys(authenticationTypes)),
    )
    .option('--pk, --primary-key <base64>', 'by default a new one')
    .option('--sk, --secondary-key <base64>', 'by default a new one')
    .option('--ptp, --primary-thumbprint <hex>', 'of its certificate')
    .option('--stp, --secondary-thumbprint <hex>', 'of its next certificate')
}

export function draftOf(options: DraftOptions): DeviceDraft {
  const { status, statusReason, edgeEnabled, deviceScope } = options
  const capabilities = edgeEnabled === undefined ? undefined : { iotEdge: edgeEnabled === 'true' }
  return { status, statusReason, capabilities, deviceScope, authentication: authenticationOf(options) }
}

function authenticationOf(options: DraftOptions): AuthenticationDraft | undefined {
  const { authMethod, primaryKey, secondaryKey, primaryThumbprint, secondaryThumbprint } = options
  const symmetricKey = (primaryKey ?? secondaryKey) ? { primaryKey, secondaryKey } : undefined
  const x509Thumbprint =
    (primaryThumbprint ?? secondaryThumbprint) ? { primaryThumbprint, secondaryThumbprint } : undefined
  if (authMethod === undefined && symmetricKey === undefined && x509Thumbprint === undefined) return undefined
  const method = authMethod ?? (x509Thumbprint === undefined ? 'shared_private_key' : 'x509_thumbprint')
  return { type: authenticationTypes[method], symmetricKey, x509Thumbprint }
}
