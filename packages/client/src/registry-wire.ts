import type { Json, JsonObject } from '@muster/contract'

/** The bodies of the registry and of twins. Times are ISO 8601. A later hub may add members. */

type AuthenticationType = 'sas' | 'selfSigned' | 'certificateAuthority' | 'none'

/** How a device or module proves who it is. Keys are in base64. */
export interface Authentication {
  readonly type: AuthenticationType
  readonly symmetricKey: { readonly primaryKey: string | null; readonly secondaryKey: string | null }
  readonly x509Thumbprint: { readonly primaryThumbprint: string | null; readonly secondaryThumbprint: string | null }
}

/** The same, as a caller writes it. */
export interface AuthenticationDraft {
  readonly type?: AuthenticationType | null | undefined
  readonly symmetricKey?: Optional<Authentication['symmetricKey']> | null | undefined
  readonly x509Thumbprint?: Optional<Authentication['x509Thumbprint']> | null | undefined
}

type Optional<Members> = { readonly [Name in keyof Members]?: Members[Name] | undefined }

/** What a caller may write of a device. Members that are left out stay as they are; a new device gets keys. */
export interface DeviceDraft {
  readonly status?: 'enabled' | 'disabled' | undefined
  readonly statusReason?: string | null | undefined
  readonly authentication?: AuthenticationDraft | null | undefined
  readonly capabilities?: { readonly iotEdge: boolean } | null | undefined
  readonly deviceScope?: string | null | undefined
  readonly parentScopes?: readonly string[] | null | undefined
}

export interface Device {
  readonly deviceId: string
  readonly generationId: string
  readonly etag: string
  readonly connectionState: 'Connected' | 'Disconnected'
  readonly connectionStateUpdatedTime: string
  readonly status: 'enabled' | 'disabled'
  readonly statusReason: string | null
  readonly statusUpdatedTime: string
  readonly lastActivityTime: string
  readonly cloudToDeviceMessageCount: number
  readonly authentication: Authentication
  readonly capabilities: { readonly iotEdge: boolean }
  readonly deviceScope?: string
  readonly parentScopes?: readonly string[]
}

export interface ModuleDraft {
  readonly authentication?: AuthenticationDraft | null | undefined
  readonly managedBy?: string | null | undefined
}

export interface Module {
  readonly moduleId: string
  readonly managedBy: string | null
  readonly deviceId: string
  readonly generationId: string
  readonly etag: string
  readonly connectionState: 'Connected' | 'Disconnected'
  readonly connectionStateUpdatedTime: string
  readonly lastActivityTime: string
  readonly cloudToDeviceMessageCount: number
  readonly authentication: Authentication
}

/** One entry of a bulk request. */
export interface DeviceChange extends DeviceDraft {
  readonly id: string
  readonly moduleId?: string | undefined
  readonly importMode:
    | 'create'
    | 'update'
    | 'updateIfMatchETag'
    | 'delete'
    | 'deleteIfMatchETag'
    | 'updateTwin'
    | 'updateTwinIfMatchETag'
  readonly etag?: string | undefined
  readonly twinETag?: string | undefined
  readonly managedBy?: string | null | undefined
  readonly tags?: JsonObject | undefined
  readonly properties?: { readonly desired?: JsonObject | undefined } | undefined
}

export interface BulkResult {
  readonly isSuccessful: boolean
  readonly errors: readonly {
    readonly deviceId: string
    readonly moduleId?: string
    readonly errorCode: string
    readonly errorStatus: string
  }[]
}

export interface Twin {
  readonly deviceId: string
  readonly moduleId?: string
  readonly etag: string
  readonly version: number
  readonly status?: 'enabled' | 'disabled'
  readonly connectionState?: 'Connected' | 'Disconnected'
  readonly lastActivityTime?: string
  readonly tags?: JsonObject
  readonly properties: { readonly desired: JsonObject; readonly reported: JsonObject }
  readonly [member: string]: Json | undefined
}

export interface DeviceStatistics {
  readonly totalDeviceCount: number
  readonly enabledDeviceCount: number
  readonly disabledDeviceCount: number
}

export interface ServiceStatistics {
  readonly connectedDeviceCount: number
}
