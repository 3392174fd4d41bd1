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

const unknown = { name: 'DeviceNotFoundError' }
const key = expect.stringMatching(/^.{43}=$/)
const symmetricKey = { primaryKey: generateKey(), secondaryKey: generateKey() }
const given = { status: 'disabled', statusReason: 'in store', authentication: { type: 'sas', symmetricKey } }
const disabled = { status: 'disabled', statusReason: 'unpaid' }

describe('devices in the registry', () => {
  it('Registry.create registers a device, with keys of the hub when none are given', async () => {
    const { responseBody, httpResponse } = await registry.create({ deviceId: 'created' })
    const [device, response] = await inCallbackForm((done) => registry.create({ deviceId: 'called', ...given }, done))

    expect(responseBody).toMatchObject({
      deviceId: 'created',
      status: 'enabled',
      connectionState: 'Disconnected',
      authentication: { type: 'sas', symmetricKey: { primaryKey: key, secondaryKey: key } },
    })
    expect(device).toMatchObject({ deviceId: 'called', ...given })
    expect([httpResponse, response]).toMatchObject([{ statusCode: 200 }, { statusCode: 200 }])
  })

  it('Registry.create takes thumbprints of certificates, and every character that an id may have', async () => {
    const x509Thumbprint = { primaryThumbprint: 'A'.repeat(40), secondaryThumbprint: 'B'.repeat(64) }
    const deviceId = "Az09-:.+%_#*?!(),=@$'"

    await registry.create({ deviceId, authentication: { x509Thumbprint } })
    const { responseBody } = await registry.get(deviceId)
    await registry.delete(deviceId)

    expect(responseBody).toMatchObject({ deviceId, authentication: { type: 'selfSigned', x509Thumbprint } })
    expect(await failureOf(registry.get(deviceId))).toMatchObject(unknown)
  })

  it('Registry.create of a device that exists is a DeviceAlreadyExistsError, in both forms', async () => {
    await registry.create({ deviceId: 'twice' })

    const refused = await failureOf(registry.create({ deviceId: 'twice' }))
    const called = await failureOf(inCallbackForm((done) => registry.create({ deviceId: 'twice' }, done)))

    const message = 'A device with the id twice exists already'
    expect(refused).toMatchObject({ name: 'DeviceAlreadyExistsError', status: 409, message })
    expect(called).toMatchObject({ name: 'DeviceAlreadyExistsError', status: 409, message })
  })

  it('Registry.create of an id that is none is an ArgumentError that says what is wrong', async () => {
    expect(await failureOf(registry.create({ deviceId: 'a b' }))).toMatchObject({
      name: 'ArgumentError',
      status: 400,
      message: expect.stringMatching(/^deviceId must be 1 to 128 ASCII letters, .* semicolon .*, got "a b"$/),
    })
  })

  it('Registry.get and Registry.list read what is registered', async () => {
    const { responseBody: created } = await registry.create({ deviceId: 'read' })

    const { responseBody } = await registry.get('read')
    const [device] = await inCallbackForm((done) => registry.get('read', done))
    const { responseBody: listed } = await registry.list()
    const [all] = await inCallbackForm((done) => registry.list(done))

    expect(responseBody).toEqual(created)
    expect(device).toEqual(created)
    expect(listed).toContainEqual(created)
    expect(all).toEqual(listed)
  })

  it('Registry.get of an unknown device is a DeviceNotFoundError, in both forms', async () => {
    const refused = await failureOf(registry.get('nobody'))
    const called = await failureOf(inCallbackForm((done) => registry.get('nobody', done)))

    expect(refused).toMatchObject({ ...unknown, status: 404, message: 'There is no device with the id nobody' })
    expect(called).toMatchObject({ ...unknown, status: 404 })
  })

  it('Registry.update changes what it is given, and keeps the keys', async () => {
    const { responseBody: created } = await registry.create({ deviceId: 'changes' })

    const { responseBody } = await registry.update({ deviceId: 'changes', ...disabled })
    const [enabled] = await inCallbackForm((done) =>
      registry.update({ deviceId: 'changes', status: 'enabled', statusReason: 'paid' }, done),
    )

    expect(responseBody).toMatchObject({ ...disabled, authentication: created.authentication })
    expect(enabled).toMatchObject({ status: 'enabled', statusReason: 'paid', authentication: created.authentication })
    expect(await failureOf(registry.update({ deviceId: 'nobody' }))).toMatchObject(unknown)
  })

  it('Registry.delete removes a device, and its twin', async () => {
    await registry.addDevices([{ deviceId: 'gone-1' }, { deviceId: 'gone-2' }])

    const { httpResponse } = await registry.delete('gone-1')
    const [, response] = await inCallbackForm((done) => registry.delete('gone-2', done))

    expect([httpResponse, response]).toMatchObject([{ statusCode: 204 }, { statusCode: 204 }])
    expect(await failureOf(registry.get('gone-1'))).toMatchObject(unknown)
    expect(await failureOf(registry.getTwin('gone-2'))).toMatchObject(unknown)
    expect(await failureOf(registry.delete('gone-1'))).toMatchObject(unknown)
  })

  it('Registry.getRegistryStatistics counts them', async () => {
    const { responseBody: before } = await registry.getRegistryStatistics()

    await registry.addDevices([{ deviceId: 'counted-1' }, { deviceId: 'counted-2', ...disabled }])
    const { responseBody } = await registry.getRegistryStatistics()
    const [called] = await inCallbackForm((done) => registry.getRegistryStatistics(done))

    expect(responseBody).toEqual({
      totalDeviceCount: before.totalDeviceCount + 2,
      enabledDeviceCount: before.enabledDeviceCount + 1,
      disabledDeviceCount: before.disabledDeviceCount + 1,
    })
    expect(called).toEqual(responseBody)
  })
})

describe('many devices at once', () => {
  it('Registry.addDevices registers them, and names those that exist', async () => {
    const { responseBody } = await registry.addDevices([{ deviceId: 'bulk-1' }, { deviceId: 'bulk-2', ...given }])
    const [called] = await inCallbackForm((done) => registry.addDevices([{ deviceId: 'bulk-3' }], done))

    expect([responseBody, called]).toMatchObject([{ isSuccessful: true, errors: [] }, { isSuccessful: true }])
    expect((await registry.get('bulk-1')).responseBody).toMatchObject({
      authentication: { symmetricKey: { primaryKey: key } },
    })
    expect((await registry.get('bulk-2')).responseBody).toMatchObject(given)
    expect(await refusals(registry.addDevices([{ deviceId: 'bulk-1' }, { deviceId: 'bulk-4' }]))).toMatchObject([
      { deviceId: 'bulk-1', errorCode: 'DeviceAlreadyExists' },
    ])
    expect((await registry.get('bulk-4')).responseBody).toMatchObject({ deviceId: 'bulk-4' })
  })

  it('Registry.updateDevices compares etags, unless it is forced', async () => {
    await registry.addDevices([{ deviceId: 'update-1' }, { deviceId: 'update-2' }])
    const { responseBody: device } = await registry.get('update-1')
    const stale = { deviceId: 'update-2', etag: 'stale' }

    const compared = await registry.updateDevices([{ ...device, ...disabled }], false)
    const [forced] = await inCallbackForm((done) => registry.updateDevices([{ ...stale, ...disabled }], true, done))

    expect([compared.responseBody, forced]).toMatchObject([{ isSuccessful: true }, { isSuccessful: true }])
    expect((await registry.get('update-1')).responseBody).toMatchObject({
      ...disabled,
      authentication: device.authentication,
    })
    expect((await registry.get('update-2')).responseBody).toMatchObject(disabled)
    expect(await refusals(registry.updateDevices([{ ...device, status: 'enabled' }, stale], false))).toMatchObject([
      { deviceId: 'update-1', errorCode: 'PreconditionFailed' },
      { deviceId: 'update-2', errorCode: 'PreconditionFailed' },
    ])
  })

  it('Registry.removeDevices compares etags, unless it is forced', async () => {
    await registry.addDevices(['remove-1', 'remove-2', 'remove-3'].map((deviceId) => ({ deviceId })))
    const { responseBody: device } = await registry.get('remove-1')
    const stale = { deviceId: 'remove-2', etag: 'stale' }

    expect(await refusals(registry.removeDevices([stale, { deviceId: 'nobody', etag: 'any' }], false))).toMatchObject([
      { deviceId: 'remove-2', errorCode: 'PreconditionFailed' },
      { deviceId: 'nobody', errorCode: 'DeviceNotFound' },
    ])
    const compared = await registry.removeDevices([{ ...device }], false)
    const [forced] = await inCallbackForm((done) =>
      registry.removeDevices([stale, { deviceId: 'remove-3' }], true, done),
    )

    expect([compared.responseBody, forced]).toMatchObject([{ isSuccessful: true }, { isSuccessful: true }])
    for (const deviceId of ['remove-1', 'remove-2', 'remove-3']) {
      expect(await failureOf(registry.get(deviceId))).toMatchObject(unknown)
    }
  })
})

/** Which devices of a bulk call could not be changed. The SDK makes an ArgumentError of it, whose body has them. */
async function refusals(call: Promise<unknown>): Promise<unknown> {
  const { name, status, body } = await failureOf(call)
  expect([name, status]).toEqual(['ArgumentError', 400])
  const { isSuccessful, errors } = JSON.parse(body)
  expect(isSuccessful).toBe(false)
  return errors
}
