import type { DashboardSpec } from './dashboard.ts'
import { of, perSecond, quantile, total } from './promql.ts'

export const gateway: DashboardSpec = {
  uid: 'muster-gateway',
  title: 'Gateway',
  description: 'The connections of devices, and what goes over them.',
  rows: [
    {
      title: 'Connections',
      panels: [
        {
          kind: 'lines',
          title: 'Connected devices',
          description: 'By gateway.',
          unit: 'short',
          isStacked: true,
          queries: [{ expr: total('muster_devices_connected', 'instance'), legend: '{{instance}}' }],
        },
        {
          kind: 'lines',
          title: 'Connections opened',
          description:
            'Many at once are a fleet that comes back, or devices that lose their connections again and again.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_device_connected_total', 'instance'), legend: '{{instance}}' }],
        },
        {
          kind: 'lines',
          title: 'Connections ended',
          description: 'By reason. Other reasons than disconnect and shutdown, many a second: MusterConnectionStorm.',
          unit: 'ops',
          isStacked: true,
          queries: [{ expr: perSecond('muster_device_disconnected_total', 'reason'), legend: '{{reason}}' }],
        },
        {
          kind: 'lines',
          title: 'Connections refused',
          description: 'By reason.',
          unit: 'ops',
          isStacked: true,
          queries: [{ expr: perSecond('muster_connection_refused_total', 'reason'), legend: '{{reason}}' }],
        },
      ],
    },
    {
      title: 'Traffic',
      panels: [
        {
          kind: 'lines',
          title: 'Messages',
          description: 'From and to devices, by kind.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_mqtt_messages_total', 'kind'), legend: '{{kind}}' }],
        },
        {
          kind: 'lines',
          title: 'Bytes',
          description: 'From and to devices.',
          unit: 'Bps',
          queries: [
            { expr: perSecond('muster_mqtt_received_bytes_total'), legend: 'received' },
            { expr: perSecond('muster_mqtt_sent_bytes_total'), legend: 'sent' },
          ],
        },
        {
          kind: 'lines',
          title: 'Lag of notifications',
          description: 'From the change of desired properties to the message to the device.',
          unit: 's',
          queries: [
            { expr: quantile(0.5, 'muster_notification_lag_seconds'), legend: 'half of them' },
            { expr: quantile(0.99, 'muster_notification_lag_seconds'), legend: '99 of 100' },
          ],
        },
        {
          kind: 'lines',
          title: 'Steps that failed',
          description: 'By step. The log has gatewayFailed with the error.',
          unit: 'ops',
          queries: [{ expr: perSecond('muster_gateway_failed_total', 'step'), legend: '{{step}}' }],
        },
        {
          kind: 'lines',
          title: 'File descriptors',
          description:
            'The share of those that a process may open. Each connection takes one; at 1 no other is accepted.',
          unit: 'percentunit',
          redFrom: 0.8,
          queries: [
            {
              expr: `max by (instance) (${of('process_open_fds')} / ${of('process_max_fds')})`,
              legend: '{{instance}}',
            },
          ],
        },
        {
          kind: 'lines',
          title: 'Event loop lag',
          description:
            'How long work waits for its turn in a process, 99 of 100 times. Above a tenth of a second devices notice it.',
          unit: 's',
          queries: [{ expr: `max by (instance) (${of('nodejs_eventloop_lag_p99_seconds')})`, legend: '{{instance}}' }],
        },
      ],
    },
  ],
}
