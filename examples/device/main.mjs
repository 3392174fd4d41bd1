// A device made of the Azure SDK: it answers the method "reboot" and reports the desired interval that it works with.
import device from 'azure-iot-device'
import protocols from 'azure-iot-device-mqtt'

const { DEVICE_CONNECTION_STRING: connectionString } = process.env
if (connectionString === undefined) {
  throw new Error('DEVICE_CONNECTION_STRING is not set: "muster device connection-string d1" prints it')
}

// MqttWs instead of Mqtt goes over port 443. For a certificate of an own CA: NODE_EXTRA_CA_CERTS=ca.pem.
const client = device.Client.fromConnectionString(connectionString, protocols.Mqtt)

client.onDeviceMethod('reboot', (request, response) => {
  print(`reboot ${JSON.stringify(request.payload)}`)
  response.send(200, { ok: true })
})
await client.open()

const twin = await client.getTwin()
twin.on('properties.desired', ({ interval }) => {
  twin.properties.reported.update({ interval }, (error) =>
    print(error ? `not reported: ${error.message}` : `interval ${interval}`),
  )
})
print('connected')

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => client.close(() => process.exit()))

function print(line) {
  process.stdout.write(`${line}\n`)
}
