import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import { limits } from './limits.ts'

export type DeviceId = string & { readonly brand: 'DeviceId' }
export type JobId = string & { readonly brand: 'JobId' }
/** Our own id of a job row: a decimal number as text. The only job id in indexes, in Redis and in chunk rows. */
export type JobKey = string & { readonly brand: 'JobKey' }
/** Which gateway process holds a session. New at each start of the process. */
export type GatewayId = string & { readonly brand: 'GatewayId' }

const deviceIdPattern = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']+$/
const jobIdPattern = /^[!-~]+$/
const jobIdExcluded = /[$()<>@,;:\\"/[\]?={}]/

/** @throws HubError ArgumentInvalid when the id breaks the registry's rule. */
export function parseDeviceId(text: string): DeviceId {
  if (!isDeviceId(text)) {
    throw new HubError('ArgumentInvalid', {
      message: `deviceId must be 1 to ${limits.deviceIdLength} ASCII letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ ', got "${clip(text)}"`,
    })
  }
  return text
}

export function isDeviceId(text: string): text is DeviceId {
  return text.length <= limits.deviceIdLength && deviceIdPattern.test(text)
}

/** @throws HubError ArgumentInvalid when the id breaks the job id rule. */
export function parseJobId(text: string): JobId {
  if (!isJobId(text)) {
    throw new HubError('ArgumentInvalid', {
      message: `jobId must be 1 to ${limits.jobIdLength} printable US-ASCII characters without $ ( ) < > @ , ; : \\ " / [ ] ? = { } and space, got "${clip(text)}"`,
    })
  }
  return text
}

export function isJobId(text: string): text is JobId {
  return text.length <= limits.jobIdLength && jobIdPattern.test(text) && !jobIdExcluded.test(text)
}

export function jobKey(value: string | number | bigint): JobKey {
  return String(value) as JobKey
}

export function gatewayId(value: string): GatewayId {
  return value as GatewayId
}

/** Ids that come back from our own tables were checked when they went in. */
export function storedDeviceId(value: string): DeviceId {
  return value as DeviceId
}

export function storedJobId(value: string): JobId {
  return value as JobId
}
