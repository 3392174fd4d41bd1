export { type Bus, connectBus } from './bus.ts'
export type { CallResult, ConnectionClose, DesiredPush, DeviceCall, GatewayDoor } from './calls.ts'
export type { BucketRate } from './token-buckets.ts'
export type { Consumer, Next, Pause, WorkWakeUp } from './wake-ups.ts'
