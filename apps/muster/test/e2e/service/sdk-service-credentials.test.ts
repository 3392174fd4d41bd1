import { formatConnectionString, generateKey } from '@muster/auth'
import { loadConfig } from '@muster/runtime'
import { Client, JobClient, Registry } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findPolicy } from '../../../src/database.ts'
import type { TestHub } from '../../hub.ts'
import { failureOf } from '../failure-of.ts'
import { startSdkHub } from '../sdk-hub.ts'
import { startTokenIssuer, type TokenIssuer } from './token-issuer.ts'

let issuer: TokenIssuer
let hub: TestHub
/** Connection strings of two of the default policies. */
let reader: string
let service: string
beforeAll(async () => {
  issuer = await startTokenIssuer()
  hub = await startSdkHub({
    ...issuer.settings,
    MUSTER_THROTTLE: '{"twinReads":"3/min","directMethods":"3/min"}',
  })
  const config = loadConfig({ dataDir: '' }, hub.environment)
  reader = stringOf(await findPolicy(config, 'registryRead'))
  service = stringOf(await findPolicy(config, 'service'))
  await Registry.fromConnectionString(hub.connectionString).create({ deviceId: 'lamp' })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await issuer[Symbol.asyncDispose]()
})

const reboot = { methodName: 'reboot' }
const list = async (registry: Registry) => (await registry.list()).responseBody.map(({ deviceId }) => deviceId)
const jobs = async (client: JobClient) => (await client.createQuery().next()).result
/** The device is offline, which is found out behind the check of the token. */
const call = async (client: Client) => (await failureOf(client.invokeDeviceMethod('lamp', reboot))).body

describe('a service client', () => {
  it('Registry.fromConnectionString, JobClient.fromConnectionString, service Client.fromConnectionString sign each request', async () => {
    expect(await list(Registry.fromConnectionString(hub.connectionString))).toEqual(['lamp'])
    expect(await jobs(JobClient.fromConnectionString(hub.connectionString))).toEqual([])
    expect(await call(Client.fromConnectionString(hub.connectionString))).toContain('404103')
  })

  it('Registry.fromSharedAccessSignature, JobClient.fromSharedAccessSignature, service Client.fromSharedAccessSignature use one token', async () => {
    expect(await list(Registry.fromSharedAccessSignature(hub.token))).toEqual(['lamp'])
    expect(await jobs(JobClient.fromSharedAccessSignature(hub.token))).toEqual([])
    expect(await call(Client.fromSharedAccessSignature(hub.token))).toContain('404103')
  })

  it('Registry.fromTokenCredential, JobClient.fromTokenCredential, service Client.fromTokenCredential use bearer tokens', async () => {
    const credential = issuer.credential(['RegistryRead', 'ServiceConnect'])
    const registry = Registry.fromTokenCredential('localhost', credential)

    expect([await list(registry), await list(registry)]).toEqual([['lamp'], ['lamp']])
    expect(await jobs(JobClient.fromTokenCredential('localhost', credential))).toEqual([])
    expect(await call(Client.fromTokenCredential('localhost', credential))).toContain('404103')
    expect(credential.scopes).toEqual(Array(3).fill('https://iothubs.azure.net/.default'))
  })
})

describe('a request that is refused', () => {
  it('with a wrong key, or an unknown policy, is an UnauthorizedError', async () => {
    const stranger = stringOf({ name: 'iothubowner', primaryKey: generateKey() })
    const unknown = hub.connectionString.replace('iothubowner', 'unknown')

    for (const text of [stranger, unknown]) {
      const client = Client.fromConnectionString(text)
      expect(await failureOf(Registry.fromConnectionString(text).list())).toMatchObject(unauthorized)
      expect(await failureOf(JobClient.fromConnectionString(text).getJob('job'))).toMatchObject(unauthorized)
      expect(await failureOf(client.invokeDeviceMethod('lamp', reboot))).toMatchObject(unauthorized)
    }
  })

  it('for want of a permission is an UnauthorizedError that names it', async () => {
    const registry = Registry.fromConnectionString(reader)
    const bearer = Registry.fromTokenCredential('localhost', issuer.credential(['RegistryRead']))

    expect(await list(registry)).toEqual(['lamp'])
    for (const refused of [registry, bearer]) {
      expect(await failureOf(refused.create({ deviceId: 'new' }))).toMatchObject({
        ...unauthorized,
        message: expect.stringMatching(/does not allow access for '\/devices\/new', it needs RegistryWrite$/),
      })
    }
  })

  it('above the rate of its policy is a ThrottlingError, for that policy alone', async () => {
    const registry = Registry.fromConnectionString(service)
    for (let read = 1; read <= 3; read++) await registry.getTwin('lamp')

    const { name, status } = await failureOf(registry.getTwin('lamp'))
    const { responseBody } = await Registry.fromConnectionString(hub.connectionString).getTwin('lamp')

    expect([name, status]).toEqual(['ThrottlingError', 429])
    expect(responseBody).toMatchObject({ deviceId: 'lamp' })
  })

  it('service Client.setRetryPolicy decides whether a method above the rate is tried again', async () => {
    const client = Client.fromConnectionString(service)
    const shouldRetry: string[] = []
    client.setRetryPolicy({
      shouldRetry: ({ name }) => shouldRetry.push(name) < 2 && name === 'ThrottlingError',
      nextRetryTimeout: () => 0,
    })
    for (let called = 1; called <= 3; called++) await call(client)
    shouldRetry.length = 0

    const { name } = await failureOf(client.invokeDeviceMethod('lamp', reboot))

    expect(name).toBe('ThrottlingError')
    expect(shouldRetry).toEqual(['ThrottlingError', 'ThrottlingError'])
  })
})

const unauthorized = { name: 'UnauthorizedError', status: 401 }

function stringOf({ name, primaryKey }: { name: string; primaryKey: string }): string {
  return formatConnectionString({ hostName: 'localhost', sharedAccessKeyName: name, sharedAccessKey: primaryKey })
}
