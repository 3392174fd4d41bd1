import type { JobType } from '@muster/contract'
import { invokeMethod } from './invoke-method.ts'
import type { Operation } from './operation.ts'
import { updateTwin } from './update-twin.ts'

export { notifyDesired } from './notify-desired.ts'
export type { DeviceOperation, Operation, Outcome, StoreOperation } from './operation.ts'
export { readPayloads } from './payload-by-device.ts'
export { decideCall, type Tries } from './retry.ts'

const operations: Record<JobType, Operation> = {
  scheduleUpdateTwin: updateTwin,
  scheduleDeviceMethod: invokeMethod,
}

export function operationOf(type: JobType): Operation {
  return operations[type]
}
