export { type Bus, connectBus } from './bus.ts'
export {
  type CallResult,
  type CallTarget,
  type ConnectionClose,
  callIdOf,
  type DesiredPush,
  type DeviceCall,
  deliverBefore,
  type GatewayDoor,
  newCall,
} from './calls.ts'
export { queueNames, queueStates } from './figures.ts'
export type { BucketRate } from './token-buckets.ts'
export { createWaits, type Waits } from './waits.ts'
export { type Consumer, type Next, type Pause, turnsOf, type WorkWakeUp } from './wake-ups.ts'
