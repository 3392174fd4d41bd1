import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import { limits } from './limits.ts'

export type DeviceId = string & { readonly brand: 'DeviceId' }
/** A module's name within its device. */
export type ModuleId = string & { readonly brand: 'ModuleId' }
/** A module of a device: `<device id>/<module id>`, also its MQTT client id. Neither id can hold a slash. */
export type ModuleKey = string & { readonly brand: 'ModuleKey' }
/** A device, or a module of a device. Each has a twin, credentials and a session. */
export type IdentityKey = DeviceId | ModuleKey
export type JobId = string & { readonly brand: 'JobId' }
/** Our own id of a job row: a decimal number as text. The only job id in indexes, in Redis and in chunk rows. */
export type JobKey = string & { readonly brand: 'JobKey' }
/** Our own id of a webhook: a decimal number as text. A webhook that is made anew under the same name has another one. */
export type WebhookKey = string & { readonly brand: 'WebhookKey' }
/** Which gateway process holds a session. New at each start of the process. */
export type GatewayId = string & { readonly brand: 'GatewayId' }

const registryIdPattern = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']+$/
/** The rule for device ids and module ids, for error messages. */
export const registryIdRule = `1 to ${limits.deviceIdLength} ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ ', and not . or ..`

const jobIdPattern = /^[!-~]+$/
const jobIdExcluded = /[$()<>@,;:\\"/[\]?={}]/

/** @throws HubError ArgumentInvalid when the id breaks the registry's rule. */
export function parseDeviceId(text: string): DeviceId {
  if (!isDeviceId(text)) throw notAnId('deviceId', text)
  return text
}

export function isDeviceId(text: string): text is DeviceId {
  return isRegistryId(text)
}

/** @throws HubError ArgumentInvalid when the id breaks the registry's rule, which is that of device ids. */
export function parseModuleId(text: string): ModuleId {
  if (!isModuleId(text)) throw notAnId('moduleId', text)
  return text
}

export function isModuleId(text: string): text is ModuleId {
  return isRegistryId(text)
}

export function moduleKey(deviceId: DeviceId, moduleId: ModuleId): ModuleKey {
  return `${deviceId}/${moduleId}` as ModuleKey
}

/** The ids in a key. `moduleId` is null for a device. */
export function partsOf(key: IdentityKey): { readonly deviceId: DeviceId; readonly moduleId: ModuleId | null } {
  const slash = key.indexOf('/')
  if (slash === -1) return { deviceId: key as DeviceId, moduleId: null }
  return { deviceId: key.slice(0, slash) as DeviceId, moduleId: key.slice(slash + 1) as ModuleId }
}

function isRegistryId(text: string): boolean {
  return text.length <= limits.deviceIdLength && registryIdPattern.test(text) && !isDots(text)
}

/** "." and ".." disappear from an address, so a request for such an id would reach another one. */
function isDots(text: string): boolean {
  return text === '.' || text === '..'
}

function notAnId(member: string, text: string): HubError {
  return new HubError('ArgumentInvalid', {
    message: `${member} must be ${registryIdRule}, got "${clip(text)}"`,
  })
}

/** @throws HubError ArgumentInvalid when the id breaks the job id rule. */
export function parseJobId(text: string): JobId {
  if (!isJobId(text)) {
    throw new HubError('ArgumentInvalid', {
      message: `jobId must be 1 to ${limits.jobIdLength} printable US-ASCII characters without $ ( ) < > @ , ; : \\ " / [ ] ? = { } and space, and not . or .., got "${clip(text)}"`,
    })
  }
  return text
}

export function isJobId(text: string): text is JobId {
  return text.length <= limits.jobIdLength && jobIdPattern.test(text) && !jobIdExcluded.test(text) && !isDots(text)
}

export function jobKey(value: string | number | bigint): JobKey {
  return String(value) as JobKey
}

export function webhookKey(value: string): WebhookKey {
  return value as WebhookKey
}

export function gatewayId(value: string): GatewayId {
  return value as GatewayId
}

/** Ids from our own tables were checked when they were written. */
export function storedDeviceId(value: string): DeviceId {
  return value as DeviceId
}

export function storedIdentity(value: string): IdentityKey {
  return value as IdentityKey
}

export function storedJobId(value: string): JobId {
  return value as JobId
}
