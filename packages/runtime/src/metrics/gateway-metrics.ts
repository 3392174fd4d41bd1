import { lagSeconds, setSizes } from './buckets.ts'
import { counter, gauge, histogram, onDemand } from './declare.ts'
import { groupedWrites, messageKinds } from './words.ts'

/** The connections of devices, and what goes over them. */
export const gatewayMetrics = {
  muster_devices_connected: gauge('Devices connected to this process', {}),
  muster_desired_pushed_total: onDemand(
    'How many devices got a desired patch?',
    counter('Desired patches sent to connected devices', {}),
  ),
  muster_notification_lag_seconds: histogram(
    'From the word that desired properties have changed to the message to the device',
    {},
    lagSeconds,
  ),
  muster_mqtt_received_bytes_total: counter('Bytes received from devices', {}),
  muster_mqtt_sent_bytes_total: counter('Bytes sent to devices', {}),
  muster_mqtt_messages_total: counter('Messages from and to devices, by kind', { kind: messageKinds }),
  muster_group_commit_size: histogram(
    'Rows that one statement has written together',
    { write: groupedWrites },
    setSizes,
  ),
}
