import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const bulk = (entries: unknown) => api.send('POST', '/devices', entries)
const done = { isSuccessful: true, errors: [], warnings: [] }

describe('a bulk request', () => {
  it('creates devices with their first tags and desired properties', async () => {
    const entries = [
      { id: 'c1', importMode: 'create', tags: { floor: 3 }, properties: { desired: { mode: 'eco' } } },
      { id: 'c2', importMode: 'Create', status: 'disabled' },
      {
        Id: 'c3',
        ImportMode: 'create',
        Tags: { Floor: 4 },
        Properties: { Desired: { Mode: 'eco' } },
        Authentication: { Type: 'sas', SymmetricKey: { PrimaryKey: 'b25l', SecondaryKey: 'dHdv' } },
      },
    ]

    const reply = await bulk(entries)
    const twin = await api.send('GET', '/twins/c1')
    const device = await api.send('GET', '/devices/c2')
    const pascal = [await api.send('GET', '/devices/c3'), await api.send('GET', '/twins/c3')].map(({ body }) => body)

    expect(reply.status).toBe(200)
    expect(reply.body).toEqual(done)
    expect(twin.body).toMatchObject({ tags: { floor: 3 }, properties: { desired: { mode: 'eco' } } })
    expect(device.body.status).toBe('disabled')
    expect(pascal[0].authentication.symmetricKey).toEqual({ primaryKey: 'b25l', secondaryKey: 'dHdv' })
    expect(pascal[1]).toMatchObject({ tags: { Floor: 4 }, properties: { desired: { Mode: 'eco' } } })
  })

  it('updates, patches twins and deletes, in modes of any letter case', async () => {
    await bulk(['m1', 'm2', 'm3', 'm4'].map((id) => ({ id, importMode: 'create' })))
    const { body: m2 } = await api.send('GET', '/devices/m2')

    const reply = await bulk([
      { id: 'm1', importMode: 'UPDATE', statusReason: 'moved' },
      { id: 'm2', importMode: 'UpdateIfMatchETag', eTag: m2.etag, statusReason: 'moved' },
      { id: 'm3', importMode: 'updateTwin', tags: { floor: 4 } },
      { id: 'm4', importMode: 'Delete' },
    ])

    expect(reply.body).toEqual(done)
    expect((await api.send('GET', '/devices/m1')).body.statusReason).toBe('moved')
    expect((await api.send('GET', '/devices/m2')).body.statusReason).toBe('moved')
    expect((await api.send('GET', '/twins/m3')).body.tags).toEqual({ floor: 4 })
    expect((await api.send('GET', '/devices/m4')).status).toBe(404)
  })

  it('lists what could not be done, and does the rest', async () => {
    await bulk([
      { id: 'e1', importMode: 'create' },
      { id: 'e2', importMode: 'create' },
    ])

    const reply = await bulk([
      { id: 'e1', importMode: 'create' },
      { id: 'e2', importMode: 'deleteIfMatchETag', etag: 'AAAA' },
      { id: 'e3', importMode: 'update' },
      { id: 'e4', importMode: 'delete' },
      { id: 'e5', importMode: 'move' },
      { id: 'e 6', importMode: 'create' },
      {
        id: 'e7',
        importMode: 'create',
        tags: { text: 'x'.repeat(4000), more: 'x'.repeat(4000), most: 'x'.repeat(200) },
      },
      { id: 'e8', importMode: 'updateTwinIfMatchETag' },
      { id: 'twice', importMode: 'create' },
      { id: 'twice', importMode: 'create' },
      7,
      { id: 'good', importMode: 'create' },
    ])

    const codes = reply.body.errors.map((error: { deviceId: string; errorCode: string }) => [
      error.deviceId,
      error.errorCode,
    ])
    expect(reply.status).toBe(400)
    expect(reply.headers.get('iothub-errorcode')).toBe('BulkRegistryOperationFailure')
    expect(reply.body.isSuccessful).toBe(false)
    expect(codes.sort()).toEqual([
      ['', 'IotHubFormatError'],
      ['e 6', 'ArgumentInvalid'],
      ['e1', 'DeviceAlreadyExists'],
      ['e2', 'PreconditionFailed'],
      ['e3', 'DeviceNotFound'],
      ['e4', 'DeviceNotFound'],
      ['e5', 'ArgumentInvalid'],
      ['e7', 'ArgumentInvalid'],
      ['e8', 'ArgumentNull'],
      ['twice', 'DeviceDefinedMultipleTimes'],
      ['twice', 'DeviceDefinedMultipleTimes'],
    ])
    expect((await api.send('GET', '/devices/good')).status).toBe(200)
    expect((await api.send('GET', '/devices/twice')).status).toBe(404)
  })

  it.each([
    ['a mode that is an object', { importMode: { toString: 1, valueOf: 1 } }, 'ArgumentInvalid'],
    ['no mode', {}, 'ArgumentNull'],
    ['an etag with U+0000', { importMode: 'deleteIfMatchETag', etag: '\u0000' }, 'ArgumentInvalid'],
    ['a twin etag with U+0000', { importMode: 'updateTwinIfMatchETag', twinETag: 'a\u0000' }, 'ArgumentInvalid'],
  ])('lists an entry with %s', async (_, members, errorCode) => {
    const reply = await bulk([{ id: 'odd', ...members }])

    expect(reply.status).toBe(400)
    expect(reply.body.errors).toMatchObject([{ deviceId: 'odd', errorCode }])
  })

  it('of more than 100 devices is 413, and does nothing', async () => {
    const reply = await bulk(Array.from({ length: 101 }, (_, index) => ({ id: `many-${index}`, importMode: 'create' })))

    expect(reply.status).toBe(413)
    expect(reply.headers.get('iothub-errorcode')).toBe('TooManyDevices')
    expect((await api.send('GET', '/devices/many-0')).status).toBe(404)
  })

  it.each([[undefined], [{}], ['x']])('that is no list is 400: %j', async (body) => {
    const reply = await bulk(body)

    expect(reply.body.Message).toContain('ErrorCode:IotHubFormatError;the body must be a list of devices')
  })
})
