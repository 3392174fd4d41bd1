import { Registry, Twin } from 'azure-iothub'
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

const isStale = { name: 'InvalidEtagError', status: 412 }
const patch = { tags: { floor: 3, old: null }, properties: { desired: { interval: 5, unit: { of: 's' } } } }

describe('twins of devices', () => {
  it('Registry.getTwin reads one', async () => {
    await registry.create({ deviceId: 'reads' })

    const { responseBody: twin } = await registry.getTwin('reads')
    const [called] = await inCallbackForm((done) => registry.getTwin('reads', done))

    expect(twin).toBeInstanceOf(Twin)
    expect(twin).toMatchObject({
      deviceId: 'reads',
      version: 2,
      tags: {},
      properties: { desired: { $version: 1 }, reported: { $version: 1 } },
    })
    expect(called).toEqual(twin)
    expect(await failureOf(registry.getTwin('nobody'))).toMatchObject({ name: 'DeviceNotFoundError', status: 404 })
  })

  it('Registry.updateTwin merges a patch: whatever the etag is, or only into the twin of an etag', async () => {
    await registry.create({ deviceId: 'patches' })

    const { responseBody: first } = await registry.updateTwin('patches', patch, '*')
    const [second] = await inCallbackForm<Twin, unknown>((done) =>
      registry.updateTwin('patches', { properties: { desired: { unit: null } } }, first.etag, done),
    )

    expect(first).toMatchObject({ tags: { floor: 3 }, properties: { desired: { interval: 5, unit: { of: 's' } } } })
    expect(second?.properties.desired).toMatchObject({ interval: 5, $version: 3 })
    expect(second?.properties.desired).not.toHaveProperty('unit')
    expect(await failureOf(registry.updateTwin('patches', patch, first.etag))).toMatchObject(isStale)
    expect(await failureOf(registry.updateTwin('nobody', patch, '*'))).toMatchObject({ name: 'DeviceNotFoundError' })
  })

  it('Registry.updateTwin with a patch that is none is an ArgumentError that says what is wrong', async () => {
    await registry.create({ deviceId: 'wrong' })

    expect(await failureOf(registry.updateTwin('wrong', { tags: 'all' }, '*'))).toMatchObject({
      name: 'ArgumentError',
      status: 400,
      message: expect.stringContaining('tags'),
    })
  })

  it('service Twin.update compares the etag that it has read, and service Twin.get reads it again', async () => {
    await registry.create({ deviceId: 'class' })
    const { responseBody: twin } = await registry.getTwin('class')
    const { responseBody: other } = await registry.getTwin('class')

    const { result } = await twin.update({ tags: { floor: 1 } })
    expect(await failureOf(other.update({ tags: { floor: 9 } }))).toMatchObject(isStale)
    await other.get()
    const [called] = await inCallbackForm((done) => other.update({ tags: { side: 'left' } }, done))
    const [again] = await inCallbackForm((done) => twin.get(done))

    expect(result).toBe(twin)
    expect([called, again]).toEqual([other, twin])
    expect([twin.tags, other.tags]).toEqual([
      { floor: 1, side: 'left' },
      { floor: 1, side: 'left' },
    ])
    expect(twin.etag).toBe(other.etag)
  })

  it('service Twin.toJSON has all that was read', async () => {
    await registry.create({ deviceId: 'prints' })
    const { responseBody: twin, httpResponse } = await registry.updateTwin('prints', patch, '*')

    expect(JSON.parse(JSON.stringify(twin))).toMatchObject({
      deviceId: 'prints',
      tags: { floor: 3 },
      status: 'enabled',
    })
    expect(httpResponse).toMatchObject({ statusCode: 200 })
  })
})

describe('twins of modules', () => {
  it('Registry.getModuleTwin reads one, which is not that of the device', async () => {
    await givenModule('module-reads')

    const { responseBody: twin } = await registry.getModuleTwin('module-reads', 'door')
    const [called] = await inCallbackForm((done) => registry.getModuleTwin('module-reads', 'door', done))

    expect(twin).toBeInstanceOf(Twin)
    expect(twin).toMatchObject({ deviceId: 'module-reads', moduleId: 'door', properties: { desired: { $version: 1 } } })
    expect(called).toEqual(twin)
    expect(await failureOf(registry.getModuleTwin('module-reads', 'window'))).toMatchObject({
      message: 'Not found',
      status: 404,
      body: expect.stringContaining('ModuleNotFound'),
    })
  })

  it('Registry.updateModuleTwin merges a patch, guarded by an etag or not', async () => {
    await givenModule('module-patches')

    const { responseBody: first } = await registry.updateModuleTwin('module-patches', 'door', patch, '*')
    const [second] = await inCallbackForm((done) =>
      registry.updateModuleTwin('module-patches', 'door', { tags: { side: 'left' } }, first.etag, done),
    )

    expect(second).toMatchObject({ moduleId: 'door', tags: { floor: 3, side: 'left' } })
    expect(await failureOf(registry.updateModuleTwin('module-patches', 'door', patch, first.etag))).toMatchObject(
      isStale,
    )
    expect((await registry.getTwin('module-patches')).responseBody.tags).toEqual({})
  })

  it('service Twin.get and service Twin.update of a module go to its own twin', async () => {
    await givenModule('module-class')
    const twin = new Twin('module-class', registry)
    twin.moduleId = 'door'

    await twin.get()
    await twin.update({ tags: { floor: 2 } })

    expect(await failureOf(new Twin('nobody', registry).get())).toMatchObject({ name: 'DeviceNotFoundError' })
    expect((await registry.getModuleTwin('module-class', 'door')).responseBody.tags).toEqual({ floor: 2 })
    expect((await registry.getTwin('module-class')).responseBody.tags).toEqual({})
  })
})

async function givenModule(deviceId: string): Promise<void> {
  await registry.create({ deviceId })
  await registry.addModule({ deviceId, moduleId: 'door' })
}
