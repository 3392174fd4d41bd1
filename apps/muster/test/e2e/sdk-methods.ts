import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { resolve } = createRequire(import.meta.url)

/** The clients of the SDKs by the names that tests call them, and where each one's methods are declared. */
const declarations = {
  Registry: ['azure-iothub/dist/registry'],
  JobClient: ['azure-iothub/dist/job_client'],
  Query: ['azure-iothub/dist/query'],
  'service Client': ['azure-iothub/dist/client'],
  'service Twin': ['azure-iothub/dist/twin'],
  IoTHubTokenCredentials: ['azure-iothub/dist/auth/iothub_token_credentials'],
  DigitalTwinClient: ['azure-iothub/dist/cl/digital_twin_client'],
  'device Client': ['azure-iot-device/dist/device_client', 'azure-iot-device/dist/internal_client'],
  ModuleClient: ['azure-iot-device/dist/module_client', 'azure-iot-device/dist/internal_client'],
  'device Twin': ['azure-iot-device/dist/twin'],
  DeviceMethodResponse: ['azure-iot-device/dist/device_method/device_method_response'],
  SharedAccessKeyAuthenticationProvider: ['azure-iot-device/dist/sak_authentication_provider'],
  SharedAccessSignatureAuthenticationProvider: ['azure-iot-device/dist/sas_authentication_provider'],
  X509AuthenticationProvider: ['azure-iot-device/dist/x509_authentication_provider'],
} as const

/** What the packages export beside the clients. */
export const noClients: Readonly<Record<string, string>> = {
  ConnectionString: 'a text',
  SharedAccessSignature: 'a text',
  versionQueryString: 'a text',
  getUserAgentString: 'a text',
  clientFromConnectionString: 'device Client.fromConnectionString over MQTT',
  Device: 'an object of members alone',
  Message: 'an object of members alone',
  DeviceMethodRequest: 'an object of members alone',
  Amqp: 'a transport, for a client to use',
  AmqpWs: 'a transport, for a client to use',
  Mqtt: 'a transport, for a client to use',
  MqttWs: 'a transport, for a client to use',
  IotEdgeAuthenticationProvider: 'asks the security daemon of an edge device, and no hub',
}

export const clientNames: readonly string[] = Object.keys(declarations)

/** Every public method of the clients, such as `Registry.create`, as the installed packages declare them. */
export function publicMethods(): readonly string[] {
  return Object.entries(declarations).flatMap(([client, modules]) => {
    const names = modules.flatMap((module) => declaredIn(readFileSync(resolve(`${module}.d.ts`), 'utf8')))
    return [...new Set(names)].map((name) => `${client}.${name}`)
  })
}

/** Private members are declared with that word, and inner ones begin with an underscore. */
function declaredIn(declaration: string): readonly string[] {
  const [, members = ''] = /^export declare (?:abstract )?class [^{]*\{\r?\n(.*?)^\}/ms.exec(declaration) ?? []
  const names = [...members.matchAll(/^ {4}(?:static )?([a-z]\w*)\(/gm)].map(([, name = '']) => name)
  return names.filter((name) => name !== 'constructor')
}
