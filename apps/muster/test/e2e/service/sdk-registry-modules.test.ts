import { generateKey } from '@muster/auth'
import { Registry } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHub } from '../../hub.ts'
import { inCallbackForm } from '../callback-form.ts'
import { failureOf } from '../failure-of.ts'
import { startSdkHub } from '../sdk-hub.ts'

let hub: TestHub
let registry: Registry
beforeAll(async () => {
  hub = await startSdkHub()
  registry = Registry.fromConnectionString(hub.connectionString)
})
afterAll(() => hub[Symbol.asyncDispose]())

const key = expect.stringMatching(/^.{43}=$/)
const symmetricKey = { primaryKey: generateKey(), secondaryKey: generateKey() }
/** The SDK has no class of errors for modules: it says so much, and the answer's body the rest. */
const unknown = { name: 'Error', message: 'Not found', status: 404, body: expect.stringContaining('ModuleNotFound') }
const isStale = { name: 'InvalidEtagError', status: 412 }

/** A device with modules, and what the registry says of them. */
async function givenModules(deviceId: string, ...moduleIds: string[]) {
  await registry.create({ deviceId })
  const added = []
  for (const moduleId of moduleIds) added.push((await registry.addModule({ deviceId, moduleId })).responseBody)
  return added
}

describe('modules in the registry', () => {
  it('Registry.addModule registers one on its device, with keys of the hub when none are given', async () => {
    await registry.create({ deviceId: 'adds' })
    const given = { managedBy: 'us', authentication: { type: 'sas', symmetricKey } }

    const { responseBody } = await registry.addModule({ deviceId: 'adds', moduleId: 'door' })
    const [called] = await inCallbackForm((done) =>
      registry.addModule({ deviceId: 'adds', moduleId: 'light#1', ...given }, done),
    )

    expect(responseBody).toMatchObject({
      deviceId: 'adds',
      moduleId: 'door',
      connectionState: 'Disconnected',
      authentication: { type: 'sas', symmetricKey: { primaryKey: key, secondaryKey: key } },
    })
    expect(called).toMatchObject({ deviceId: 'adds', moduleId: 'light#1', ...given })
  })

  it('Registry.addModule of one that exists is a DeviceAlreadyExistsError, on an unknown device a DeviceNotFoundError', async () => {
    await givenModules('twice', 'door')

    expect(await failureOf(registry.addModule({ deviceId: 'twice', moduleId: 'door' }))).toMatchObject({
      name: 'DeviceAlreadyExistsError',
      message: 'A module with the id door exists already on the device twice',
      status: 409,
    })
    expect(await failureOf(registry.addModule({ deviceId: 'nobody', moduleId: 'door' }))).toMatchObject({
      name: 'DeviceNotFoundError',
      status: 404,
    })
  })

  it('Registry.getModule and Registry.getModulesOnDevice read them', async () => {
    const [door, light] = await givenModules('reads', 'door', 'light#1')

    const { responseBody } = await registry.getModule('reads', 'light#1')
    const [called] = await inCallbackForm((done) => registry.getModule('reads', 'door', done))
    const { responseBody: listed } = await registry.getModulesOnDevice('reads')
    const [all] = await inCallbackForm((done) => registry.getModulesOnDevice('reads', done))

    expect([called, responseBody]).toEqual([door, light])
    expect(listed).toEqual([door, light])
    expect(all).toEqual(listed)
    expect(await failureOf(registry.getModule('reads', 'window'))).toMatchObject(unknown)
    expect(await failureOf(registry.getModulesOnDevice('nobody'))).toMatchObject({ name: 'DeviceNotFoundError' })
  })

  it('Registry.updateModule compares etags, unless it is forced, and keeps the keys', async () => {
    const [first] = await givenModules('changes', 'door')
    const module = { ...first, deviceId: 'changes', moduleId: 'door' }
    const change = (managedBy: string) => ({ deviceId: 'changes', moduleId: 'door', managedBy })

    const { responseBody: second } = await registry.updateModule({ ...module, managedBy: 'by etag' })
    expect(await failureOf(registry.updateModule(module))).toMatchObject(isStale)
    const { responseBody: third } = await registry.updateModule(change('forced'), true)
    const [fourth] = await inCallbackForm<typeof second, unknown>((done) =>
      registry.updateModule({ ...third, managedBy: 'by etag, called' }, done),
    )
    expect(await failureOf(inCallbackForm((done) => registry.updateModule(third, done)))).toMatchObject(isStale)
    const [fifth] = await inCallbackForm((done) => registry.updateModule(change('forced, called'), true, done))

    expect([second, third, fourth, fifth]).toMatchObject(
      ['by etag', 'forced', 'by etag, called', 'forced, called'].map((managedBy) => ({
        managedBy,
        authentication: first?.authentication,
      })),
    )
    expect(await failureOf(registry.updateModule({ deviceId: 'changes', moduleId: 'window' }, true))).toMatchObject(
      unknown,
    )
  })

  it('Registry.removeModule takes the ids, or a module whose etag it compares, and removes the twin too', async () => {
    const [, second, third] = await givenModules('removes', 'm1', 'm2', 'm3', 'm4')
    const module = { ...second, deviceId: 'removes', moduleId: 'm2' }

    const { httpResponse } = await registry.removeModule('removes', 'm1')
    await inCallbackForm((done) => registry.removeModule(module, done))
    const stale = { ...third, deviceId: 'removes', moduleId: 'm3', etag: 'stale' }
    expect(await failureOf(inCallbackForm((done) => registry.removeModule(stale, done)))).toMatchObject(isStale)
    await inCallbackForm((done) => registry.removeModule('removes', 'm4', done))

    const { responseBody: left } = await registry.getModulesOnDevice('removes')
    expect(left.map(({ moduleId }) => moduleId)).toEqual(['m3'])
    expect(httpResponse).toMatchObject({ statusCode: 204 })
    expect(await failureOf(registry.removeModule('removes', 'm1'))).toMatchObject(unknown)
    expect(await failureOf(registry.getModuleTwin('removes', 'm4'))).toMatchObject(unknown)
  })

  it('Registry.removeModule of a module in promise form is refused by the SDK itself: it takes the ids there', async () => {
    const [module] = await givenModules('refuses', 'door')

    const refused = await failureOf(registry.removeModule({ ...module, deviceId: 'refuses', moduleId: 'door' }))

    expect(refused).toMatchObject({ name: 'ReferenceError', status: null })
    expect((await registry.getModule('refuses', 'door')).responseBody).toEqual(module)
  })

  it('Registry.delete of a device removes its modules', async () => {
    await givenModules('parent', 'door')

    await registry.delete('parent')

    expect(await failureOf(registry.getModule('parent', 'door'))).toMatchObject({ status: 404 })
  })
})
