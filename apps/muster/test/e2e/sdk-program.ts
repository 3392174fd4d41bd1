import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import deviceSdk from 'azure-iot-device'
import mqttSdk from 'azure-iot-device-mqtt'
import serviceSdk from 'azure-iothub'
import { redirectSdks } from './redirect.ts'

/** What the program prints, as JSON. */
export interface Report {
  /** The twin's desired interval that a device heard of, and what it answered to a method, for each transport. */
  readonly devices: Readonly<Record<string, { readonly interval: unknown; readonly answer: unknown }>>
  readonly jobStatus: string
}

const { CONNECTION_STRING = '', HTTPS_PORT, MQTTS_PORT, NODE_EXTRA_CA_CERTS = '' } = process.env
const [httpsPort, mqttsPort] = [Number(HTTPS_PORT), Number(MQTTS_PORT)]
if (httpsPort !== 443 || mqttsPort !== 8883) {
  redirectSdks({ httpsPort, mqttsPort, ca: readFileSync(NODE_EXTRA_CA_CERTS, 'utf8') })
}

// Node finds no names in these CommonJS packages.
const { Mqtt, MqttWs } = mqttSdk
const { Client, JobClient, Registry } = serviceSdk

const registry = Registry.fromConnectionString(CONNECTION_STRING)
const service = Client.fromConnectionString(CONNECTION_STRING)
const jobs = JobClient.fromConnectionString(CONNECTION_STRING)
const report: Report = {
  devices: { Mqtt: await useDevice('Mqtt', Mqtt), MqttWs: await useDevice('MqttWs', MqttWs) },
  jobStatus: await runJob(),
}
process.stdout.write(JSON.stringify(report))
process.exit()

async function useDevice(deviceId: string, transport: typeof Mqtt) {
  const { responseBody } = await registry.create({ deviceId })
  const key = responseBody.authentication?.symmetricKey?.primaryKey
  const client = deviceSdk.Client.fromConnectionString(
    `HostName=localhost;DeviceId=${deviceId};SharedAccessKey=${key}`,
    transport,
  )
  client.onDeviceMethod('reboot', (request, response) => void response.send(200, request.payload))
  await client.open()
  const twin = await client.getTwin()
  const changed = once(twin, 'properties.desired.interval')
  await registry.updateTwin(deviceId, { properties: { desired: { interval: 5 } } }, '*')
  const [interval] = await changed
  const method = { methodName: 'reboot', payload: transport.name, connectTimeoutInSeconds: 30 }
  const { result } = await service.invokeDeviceMethod(deviceId, method)
  await client.close()
  return { interval, answer: result.payload }
}

async function runJob(): Promise<string> {
  await jobs.scheduleTwinUpdate('job', "deviceId IN ['Mqtt', 'MqttWs']", { etag: '*', tags: { seen: true } })
  for (;;) {
    const { jobStatus } = await jobs.getJob('job')
    if (jobStatus.status === 'completed') return jobStatus.status
  }
}
