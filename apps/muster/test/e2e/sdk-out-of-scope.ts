const blobs = 'jobs that move devices to and from a blob container; the hub has no blob store'
const configurations = 'automatic configurations and edge deployments; the hub applies none'
const amqp = 'it speaks AMQP; the hub does not, and cloud-to-device messages are not part of it'
const files = 'uploads of files; the hub has no blob store'
const digitalTwins = 'digital twins; the hub has device twins'
const transport = 'the SDK refuses it over MQTT'

/** Public calls of the SDKs that this hub does not answer, and why. Each of them fails at once, and says so. */
export const outOfScope = {
  'Registry.importDevicesFromBlob': blobs,
  'Registry.importDevicesFromBlobByIdentity': blobs,
  'Registry.exportDevicesToBlob': blobs,
  'Registry.exportDevicesToBlobByIdentity': blobs,
  'Registry.getJob': blobs,
  'Registry.cancelJob': blobs,
  'Registry.addConfiguration': configurations,
  'Registry.getConfiguration': configurations,
  'Registry.getConfigurations': configurations,
  'Registry.updateConfiguration': configurations,
  'Registry.removeConfiguration': configurations,
  'Registry.applyConfigurationContentOnDevice': configurations,
  'service Client.open': amqp,
  'service Client.send': amqp,
  'service Client.getFeedbackReceiver': amqp,
  'service Client.getFileNotificationReceiver': amqp,
  'DigitalTwinClient.getDigitalTwin': digitalTwins,
  'DigitalTwinClient.updateDigitalTwin': digitalTwins,
  'DigitalTwinClient.invokeComponentCommand': digitalTwins,
  'DigitalTwinClient.invokeCommand': digitalTwins,
  'device Client.uploadToBlob': files,
  'device Client.getBlobSharedAccessSignature': files,
  'device Client.notifyBlobUploadStatus': files,
  'device Client.sendEventBatch': transport,
  'device Client.reject': transport,
  'device Client.abandon': transport,
  'ModuleClient.sendEventBatch': transport,
  'ModuleClient.sendOutputEventBatch': transport,
  'ModuleClient.reject': transport,
  'ModuleClient.abandon': transport,
  'ModuleClient.invokeMethod': 'calls between modules of an edge device; the SDK asks the edge hub for them',
} as const satisfies Readonly<Record<string, string>>
