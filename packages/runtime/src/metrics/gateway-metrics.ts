import { counter, gauge } from './declare.ts'

/** The connections of devices, and what goes over them. */
export const gatewayMetrics = {
  muster_devices_connected: gauge('Devices connected to this process', {}),
  muster_desired_pushed_total: counter('Desired patches sent to connected devices', {}),
}
