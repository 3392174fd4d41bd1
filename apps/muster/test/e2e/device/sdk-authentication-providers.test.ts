import { createPrivateKey, X509Certificate } from 'node:crypto'
import { parseConnectionString, signSasToken } from '@muster/auth'
import { makeAuthority } from '@muster/runtime'
import { eventually } from '@muster/testkit'
import {
  Client,
  ModuleClient,
  SharedAccessKeyAuthenticationProvider,
  SharedAccessSignatureAuthenticationProvider,
  X509AuthenticationProvider,
} from 'azure-iot-device'
import { clientFromConnectionString, Mqtt } from 'azure-iot-device-mqtt'
import { Registry, Client as ServiceClient } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { TestHub } from '../../hub.ts'
import { inCallbackForm } from '../callback-form.ts'
import { failureOf } from '../failure-of.ts'
import { registerDevice, registerModule, transports } from '../sdk-devices.ts'
import { startSdkHub } from '../sdk-hub.ts'

let hub: TestHub
let registry: Registry
let service: ServiceClient
beforeAll(async () => {
  hub = await startSdkHub()
  registry = Registry.fromConnectionString(hub.connectionString)
  service = ServiceClient.fromConnectionString(hub.connectionString)
})
afterAll(() => hub[Symbol.asyncDispose]())

type Kind = 'device' | 'module'

/** A new device, or a new module on one. `path` is what a token for it must name. */
async function givenIdentity(kind: Kind, deviceId: string) {
  const { key } = await registerDevice(registry, deviceId)
  const path = `localhost/devices/${deviceId}`
  const connectionString = `HostName=localhost;DeviceId=${deviceId};SharedAccessKey=${key}`
  if (kind === 'device') return { identity: deviceId, key, path, connectionString }
  return { ...(await registerModule(registry, deviceId, 'door')), path: `${path}/modules/door` }
}

/** Opens a client that answers a method and listens for a desired property. */
async function givenOpen(client: Client | ModuleClient, identity: string) {
  const [deviceId = '', moduleId] = identity.split('/')
  const told: unknown[] = []
  if (client instanceof Client) client.onDeviceMethod('reboot', (_, response) => void response.send(200, 'here'))
  else client.onMethod('reboot', (_, response) => void response?.send(200, 'here'))
  await client.open()
  onTestFinished(async () => void (await client.close()))
  const twin = await client.getTwin()
  twin.on('properties.desired.interval', (interval: unknown) => told.push(interval))
  await inCallbackForm((done) => twin.enableTwinDesiredPropertiesUpdates(done))
  const method = { methodName: 'reboot', connectTimeoutInSeconds: 30 }

  return async function worksWith(interval: number): Promise<void> {
    await eventually(async () => {
      const { result } = await (moduleId === undefined
        ? service.invokeDeviceMethod(deviceId, method)
        : service.invokeDeviceMethod(deviceId, moduleId, method))
      expect(result).toEqual({ status: 200, payload: 'here' })
    })
    const patch = { properties: { desired: { interval } } }
    if (moduleId === undefined) await registry.updateTwin(deviceId, patch, '*')
    else await registry.updateModuleTwin(deviceId, moduleId, patch, '*')
    await eventually(() => expect(told).toContain(interval))
  }
}

/** Resolves when the hub has let the identity in so many times more. */
function connections(identity: string, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    const off = hub.running.hub.events.on('deviceConnected', ({ deviceId }) => {
      if (deviceId !== identity) return
      left -= 1
      if (left > 0) return
      off()
      resolve()
    })
  })
}

/** Renews the token every second. */
const restless = { tokenValidTimeInSeconds: 60, tokenRenewalMarginInSeconds: 59 }
const usual = { tokenValidTimeInSeconds: 3600, tokenRenewalMarginInSeconds: 900 }
const hoursAhead = (hours: number) => new Date(Date.now() + hours * 3_600_000)

describe.each(transports)('over %s', (name, transport) => {
  describe.each(['device', 'module'] as const)('a %s', (kind) => {
    const clients = kind === 'device' ? Client : ModuleClient

    it('device Client.fromConnectionString, ModuleClient.fromConnectionString: methods and notifications go on when the token has been renewed', async () => {
      const { identity, connectionString } = await givenIdentity(kind, `renews-${kind}-${name}`)
      const client = clients.fromConnectionString(connectionString, transport)
      const worksWith = await givenOpen(client, identity)

      // Once at once, and once when its time has come.
      const renewed = connections(identity, 2)
      await client.setOptions({ tokenRenewal: restless })
      await renewed
      const renewedAgain = connections(identity, 1)
      await client.setOptions({ tokenRenewal: usual })
      await renewedAgain

      await worksWith(5)
    })

    it('device Client.fromSharedAccessSignature, ModuleClient.fromSharedAccessSignature, device Client.updateSharedAccessSignature, ModuleClient.updateSharedAccessSignature: a new token takes the place of the first', async () => {
      const { identity, path, key } = await givenIdentity(kind, `signs-${kind}-${name}`)
      const [first, second] = [1, 2].map((hours) => signSasToken({ resource: path, key, expiresAt: hoursAhead(hours) }))
      const client = clients.fromSharedAccessSignature(first ?? '', transport)
      const worksWith = await givenOpen(client, identity)
      await worksWith(5)

      // The SDK does it twice.
      const reconnected = connections(identity, 2)
      await inCallbackForm((done) => client.updateSharedAccessSignature(second ?? '', done))
      await reconnected

      await worksWith(6)
    })

    it('device Client.fromAuthenticationProvider, ModuleClient.fromAuthenticationProvider with SharedAccessKeyAuthenticationProvider.fromConnectionString: SharedAccessKeyAuthenticationProvider.setTokenRenewalValues renews', async () => {
      const { identity, connectionString } = await givenIdentity(kind, `provides-${kind}-${name}`)
      const provider = SharedAccessKeyAuthenticationProvider.fromConnectionString(connectionString)
      const worksWith = await givenOpen(clients.fromAuthenticationProvider(provider, transport), identity)

      const renewed = connections(identity, 1)
      provider.setTokenRenewalValues(60, 30)
      await renewed

      await worksWith(5)
    })

    it('a X509AuthenticationProvider shows a certificate whose thumbprint is registered, and no other', async () => {
      const deviceId = `shows-${kind}-${name}`
      const certificate = await makeCertificate()
      const identity = await givenThumbprint(kind, deviceId, certificate.thumbprint)
      const [, moduleId] = identity.split('/')
      const providerOf = (x509: { cert: string; key: string }) =>
        new X509AuthenticationProvider({ host: 'localhost', deviceId, ...(moduleId ? { moduleId } : {}), x509 })
      const stranger = clients.fromAuthenticationProvider(providerOf(await makeCertificate()), transport)

      const worksWith = await givenOpen(
        clients.fromAuthenticationProvider(providerOf(certificate), transport),
        identity,
      )

      await worksWith(5)
      expect(await failureOf(stranger.open())).toMatchObject({ name: 'UnauthorizedError' })
    })
  })

  it('device Client.setOptions takes the certificate and key of a connection string with x509, and its passphrase', async () => {
    const deviceId = `certifies-${name}`
    const { cert, key, thumbprint } = await makeCertificate()
    await givenThumbprint('device', deviceId, thumbprint)
    const client = Client.fromConnectionString(`HostName=localhost;DeviceId=${deviceId};x509=true`, transport)
    const passphrase = 'a secret'
    const sealed = createPrivateKey(key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })

    await client.setOptions({ cert, key: String(sealed), passphrase })
    const worksWith = await givenOpen(client, deviceId)

    await worksWith(5)
  })

  it('X509AuthenticationProvider.fromX509Options, X509AuthenticationProvider.setX509Options and X509AuthenticationProvider.getDeviceCredentials exchange certificates', async () => {
    const deviceId = `exchanges-${name}`
    const [first, second] = [await makeCertificate(), await makeCertificate()]
    await givenThumbprint('device', deviceId, first.thumbprint, second.thumbprint)
    const provider = X509AuthenticationProvider.fromX509Options(deviceId, 'localhost', first)
    const client = Client.fromAuthenticationProvider(provider, transport)
    await client.open()
    await client.close()

    provider.setX509Options(second)
    const worksWith = await givenOpen(client, deviceId)

    await worksWith(5)
    expect(await provider.getDeviceCredentials()).toMatchObject({ deviceId, x509: { cert: second.cert } })
  })

  it('a device and a module connect with the key of a policy', async () => {
    const { sharedAccessKeyName = '', sharedAccessKey = '' } = parseConnectionString(hub.connectionString)
    const device = await givenIdentity('device', `by-policy-${name}`)
    await registerModule(registry, device.identity, 'door')
    const policy = `SharedAccessKeyName=${sharedAccessKeyName};SharedAccessKey=${sharedAccessKey}`
    const identity = `HostName=localhost;DeviceId=${device.identity}`

    const worksWith = await givenOpen(Client.fromConnectionString(`${identity};${policy}`, transport), device.identity)
    const module = ModuleClient.fromConnectionString(`${identity};ModuleId=door;${policy}`, transport)
    const moduleWorksWith = await givenOpen(module, `${device.identity}/door`)

    await worksWith(5)
    await moduleWorksWith(6)
  })
})

describe('other ways to make a client', () => {
  it('SharedAccessSignatureAuthenticationProvider.fromSharedAccessSignature: SharedAccessSignatureAuthenticationProvider.updateSharedAccessSignature puts a new token in place', async () => {
    const { identity, path, key } = await givenIdentity('device', 'signed')
    const [first, second] = [1, 2].map((hours) => signSasToken({ resource: path, key, expiresAt: hoursAhead(hours) }))
    const provider = SharedAccessSignatureAuthenticationProvider.fromSharedAccessSignature(first ?? '')
    const worksWith = await givenOpen(Client.fromAuthenticationProvider(provider, Mqtt), identity)

    const renewed = connections(identity, 1)
    provider.updateSharedAccessSignature(second ?? '')
    await renewed

    await worksWith(5)
  })

  it('clientFromConnectionString makes a client over Mqtt', async () => {
    const { identity, connectionString } = await givenIdentity('device', 'short')
    const worksWith = await givenOpen(clientFromConnectionString(connectionString), identity)

    await worksWith(5)
  })

  it('ModuleClient.fromEnvironment makes a client of the connection string in the environment', async () => {
    const { identity, connectionString } = await givenIdentity('module', 'environment')
    vi.stubEnv('IotHubConnectionString', connectionString)
    onTestFinished(() => void vi.unstubAllEnvs())

    const client = await ModuleClient.fromEnvironment(Mqtt)
    const [called] = await inCallbackForm<ModuleClient, unknown>((done) => ModuleClient.fromEnvironment(Mqtt, done))
    const worksWith = await givenOpen(client, identity)

    await worksWith(5)
    expect(called).toBeInstanceOf(ModuleClient)
  })

  it('SharedAccessKeyAuthenticationProvider.getDeviceCredentials makes a token that the hub takes, until SharedAccessKeyAuthenticationProvider.stop', async () => {
    const { identity, connectionString } = await givenIdentity('device', 'makes-tokens')

    await holdsToken(SharedAccessKeyAuthenticationProvider.fromConnectionString(connectionString), identity)
  })

  it('SharedAccessSignatureAuthenticationProvider.getDeviceCredentials has the token, and SharedAccessSignatureAuthenticationProvider.stop stops nothing', async () => {
    const { identity, path, key } = await givenIdentity('device', 'has-token')
    const token = signSasToken({ resource: path, key, expiresAt: hoursAhead(1) })

    await holdsToken(SharedAccessSignatureAuthenticationProvider.fromSharedAccessSignature(token), identity)
  })
})

async function holdsToken(
  provider: SharedAccessKeyAuthenticationProvider | SharedAccessSignatureAuthenticationProvider,
  identity: string,
): Promise<void> {
  const { sharedAccessSignature } = await provider.getDeviceCredentials()
  const [called] = await inCallbackForm((done) => provider.getDeviceCredentials(done))
  provider.stop()
  const client = Client.fromSharedAccessSignature(String(sharedAccessSignature), Mqtt)
  const worksWith = await givenOpen(client, identity)

  await worksWith(5)
  expect(called).toMatchObject({ deviceId: identity, sharedAccessSignature })
}

/** A certificate that its owner has signed. */
async function makeCertificate(): Promise<{ cert: string; key: string; thumbprint: string }> {
  const { cert, key } = await makeAuthority(new Date())
  return { cert, key, thumbprint: new X509Certificate(cert).fingerprint256.replaceAll(':', '') }
}

/** Registers a device, or a module, that shows a certificate. Returns its identity. */
async function givenThumbprint(kind: Kind, deviceId: string, primary: string, secondary = ''): Promise<string> {
  const authentication = { x509Thumbprint: { primaryThumbprint: primary, secondaryThumbprint: secondary } }
  await registry.create({ deviceId, ...(kind === 'device' ? { authentication } : {}) })
  if (kind === 'device') return deviceId
  await registry.addModule({ deviceId, moduleId: 'door', authentication })
  return `${deviceId}/door`
}
