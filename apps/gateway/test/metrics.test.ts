import { jsonText } from '@muster/contract'
import { findRoutes } from '@muster/store'
import { eventually } from '@muster/testkit'
import { expect, it } from 'vitest'
import { callAll } from './call-all.ts'
import { connectDevice, desired, methods, responses, type TestDevice } from './device.ts'
import { openHub, type TestGateway, type TestHub } from './hub.ts'

it('the metrics of a gateway follow what goes over a connection', async () => {
  await using hub = await openHub()
  const gateway = await hub.startGateway()
  const device = await connectDevice(gateway, await hub.addDevice('measured'))
  await device.subscribe([responses, desired, methods])

  await readTwin(device)
  await device.publish('$iothub/twin/PATCH/properties/reported/?$rid=2', '{"a":1}')
  await device.take('$iothub/twin/res/204')
  await device.publish('devices/measured/messages/events/', 'hello', 1)
  await pushDesired(hub, device)
  await callMethod(gateway, device)
  await device.end()
  await eventually(async () => expect(await shown(gateway)).toContain('\nmuster_devices_connected 0\n'))

  const text = await shown(gateway)
  for (const [kind, count] of Object.entries({
    twinGet: 1,
    reportedPatch: 1,
    methodAnswer: 1,
    telemetry: 1,
    twinResponse: 2,
    desiredPatch: 1,
    methodCall: 1,
  })) {
    expect(text).toContain(`\nmuster_mqtt_messages_total{kind="${kind}"} ${count}\n`)
  }
  expect(text).toContain('\nmuster_device_connected_total 1\n')
  expect(text).toContain('\nmuster_notification_lag_seconds_count 1\n')
  expect(text).toMatch(/\nmuster_group_commit_size_sum\{write="reachable"\} [1-9]/)
  // A CONNECT with its token and a CONNACK are there in any case.
  expect(readingOf(text, 'muster_mqtt_received_bytes_total')).toBeGreaterThan(300)
  expect(readingOf(text, 'muster_mqtt_sent_bytes_total')).toBeGreaterThan(100)
})

async function readTwin(device: TestDevice): Promise<void> {
  await device.publish('$iothub/twin/GET/?$rid=1')
  await device.take('$iothub/twin/res/200')
}

async function pushDesired(hub: TestHub, device: TestDevice): Promise<void> {
  await hub.change('measured', { x: 1 })
  await device.take('$iothub/twin/PATCH/properties/desired/')
}

async function callMethod(gateway: TestGateway, device: TestDevice): Promise<void> {
  const gatewayId = await eventually(async () => {
    const [route] = await findRoutes(gateway.hub.db, ['measured'])
    if (route?.gatewayId == null) throw new Error('the device takes no methods yet')
    return route.gatewayId
  })
  const call = { methodName: 'reboot', payload: jsonText(null), responseTimeoutSeconds: 30 }
  const results = callAll(gateway.hub.bus, { gatewayId, identities: ['measured'], ...call })
  const { topic } = await device.take('$iothub/methods/POST/reboot/?$rid=')
  await device.publish(`$iothub/methods/res/200/?$rid=${topic.split('$rid=')[1]}`, '{}')
  await results
}

async function shown({ hub }: TestGateway): Promise<string> {
  const { text } = await hub.metrics.scrape((error) => {
    throw error
  })
  return text
}

function readingOf(text: string, series: string): number {
  return Number(text.match(new RegExp(`^${series} (\\S+)$`, 'm'))?.[1])
}
