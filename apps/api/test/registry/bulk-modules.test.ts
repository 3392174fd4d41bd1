import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'
import { listen } from '../listen.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  await api.send('PUT', '/devices/lift', {})
})
afterAll(async () => api[Symbol.asyncDispose]())

const bulk = (...entries: unknown[]) => api.send('POST', '/devices', entries)
const module = (moduleId: string, importMode: string, members: object = {}) => ({
  id: 'lift',
  moduleId,
  importMode,
  ...members,
})
const read = async (moduleId: string) => (await api.send('GET', `/devices/lift/modules/${moduleId}`)).body
const twinOf = async (moduleId: string) => (await api.send('GET', `/twins/lift/modules/${moduleId}`)).body

/** How a mode may be written: as the wire does, and as clients do. */
const spellings = (mode: string) => [mode, mode.toUpperCase(), mode.charAt(0).toUpperCase() + mode.slice(1)]

describe('a bulk request for modules', () => {
  it.each(spellings('create'))('%s makes them, with the device of the same request', async (mode) => {
    const id = `new-${Buffer.from(mode).toString('hex')}`
    const twin = { tags: { a: 1, none: null }, properties: { desired: { b: { c: null } } } }

    const reply = await bulk(
      { id, moduleId: 'm', importMode: mode, managedBy: 'us', ...twin },
      { id, importMode: mode },
    )

    expect(reply.body).toEqual({ isSuccessful: true, errors: [], warnings: [] })
    expect((await api.send('GET', `/devices/${id}/modules/m`)).body).toMatchObject({ managedBy: 'us' })
    const { body } = await api.send('GET', `/twins/${id}/modules/m`)
    expect(body.tags).toEqual({ a: 1 })
    expect(body.properties.desired).toMatchObject({ b: {}, $version: 1 })
    expect(body.properties.desired.b).toEqual({})
  })

  it.each([...spellings('update'), ...spellings('updateIfMatchETag')])('%s changes them', async (mode) => {
    await bulk(module(mode, 'create'))
    const { etag } = await read(mode)

    const reply = await bulk(module(mode, mode, { managedBy: 'them', ETag: etag }))

    expect(reply.status).toBe(200)
    expect(await read(mode)).toMatchObject({ managedBy: 'them', etag: expect.not.stringContaining(etag) })
  })

  it.each([...spellings('delete'), ...spellings('deleteIfMatchETag')])('%s deletes them', async (mode) => {
    await bulk(module(mode, 'create'))
    const { etag } = await read(mode)

    const reply = await bulk(module(mode, mode, { eTag: `"${etag}"` }))

    expect(reply.status).toBe(200)
    expect((await api.send('GET', `/devices/lift/modules/${mode}`)).status).toBe(404)
    expect((await api.send('GET', '/devices/lift')).status).toBe(200)
  })

  it.each([...spellings('updateTwin'), ...spellings('updateTwinIfMatchETag')])(
    '%s patches their twins',
    async (mode) => {
      await bulk(module(mode, 'create', { tags: { a: 1, b: 2 } }))
      await connectDevice(api, `lift/${mode}`, `gateway-${mode}`)
      await using heard = await listen(api, `gateway-${mode}`)

      const twin = { twinETag: 'AAAAAAAAAAE=', tags: { b: null }, properties: { desired: { c: 3 } } }
      const reply = await bulk(module(mode, mode, twin))

      expect(reply.status).toBe(200)
      expect(await twinOf(mode)).toMatchObject({ tags: { a: 1 }, properties: { desired: { c: 3, $version: 2 } } })
      await expect
        .poll(() => heard.pushes)
        .toEqual([{ patch: { c: 3 }, devices: [{ identity: `lift/${mode}`, version: 2 }] }])
    },
  )

  it('lists what could not be done, each with its module', async () => {
    await bulk(module('here', 'create'))

    const reply = await bulk(
      module('here', 'create'),
      module('none', 'update'),
      module('none-2', 'delete'),
      module('none-3', 'updateTwin', { tags: {} }),
      { id: 'nobody', moduleId: 'm', importMode: 'create' },
      { id: 'nobody-2', moduleId: 'm', importMode: 'delete' },
      module('a b', 'create'),
      module('odd', 'move'),
      module('twice', 'create'),
      module('twice', 'update'),
      { id: 'lift', importMode: 'updateIfMatchETag', etag: 'AAAA' },
    )

    const listed = reply.body.errors.map((error: Record<string, string>) =>
      [error.deviceId, error.moduleId, error.errorCode].join(' '),
    )
    expect(reply.status).toBe(400)
    expect(listed.sort()).toEqual([
      'lift  PreconditionFailed',
      'lift a b ArgumentInvalid',
      'lift here ModuleAlreadyExistsOnDevice',
      'lift none ModuleNotFound',
      'lift none-2 ModuleNotFound',
      'lift none-3 ModuleNotFound',
      'lift odd ArgumentInvalid',
      'lift twice DeviceDefinedMultipleTimes',
      'lift twice DeviceDefinedMultipleTimes',
      'nobody m DeviceNotFound',
      'nobody-2 m DeviceNotFound',
    ])
    expect(reply.body.errors.find((error: { errorCode: string }) => error.errorCode === 'PreconditionFailed')).toEqual({
      deviceId: 'lift',
      errorCode: 'PreconditionFailed',
      errorStatus: expect.stringContaining('another etag'),
    })
  })

  it.each(['create', 'updateTwin'])('lists those whose twin would break a rule by %s, with the path', async (mode) => {
    const text = 'x'.repeat(4000)
    if (mode === 'updateTwin') await bulk(module('tags', 'create'), module('desired', 'create'))

    const reply = await bulk(
      module('tags', mode, { tags: { a: text, b: text, c: 'x'.repeat(200) } }),
      module('desired', mode, { properties: { desired: { a: { 'b.c': 1 } } } }),
      module(`fits-${mode}`, 'create', { tags: { a: text, b: text } }),
    )

    expect(reply.status).toBe(400)
    const listed = reply.body.errors.map((error: Record<string, string>) =>
      [error.moduleId, error.errorCode, error.errorStatus].join(' '),
    )
    expect(listed.sort()).toEqual([
      expect.stringMatching(/^desired ArgumentInvalid properties\.desired\.a: the key "b\.c" must not/),
      'tags ArgumentInvalid tags would take 8203 bytes; at most 8192 are allowed',
    ])
    expect(await twinOf(`fits-${mode}`)).toMatchObject({ tags: { a: text, b: text } })
  })

  it('takes a device and its modules as different entries', async () => {
    const reply = await bulk(
      { id: 'both', importMode: 'create' },
      { id: 'both', moduleId: 'both', importMode: 'create' },
    )

    expect(reply.status).toBe(200)
  })

  it.each(['before', 'after'])('deletes a module that it names %s its device, with the device', async (order) => {
    const device = { id: `leaving-${order}`, importMode: 'delete' }
    await api.send('PUT', `/devices/${device.id}`, {})
    await api.send('PUT', `/devices/${device.id}/modules/m`, {})
    const entries = [{ ...device, moduleId: 'm' }, device]

    const reply = await bulk(...(order === 'before' ? entries : entries.reverse()))

    expect(reply.body).toEqual({ isSuccessful: true, errors: [], warnings: [] })
    expect((await api.send('GET', `/devices/${device.id}`)).status).toBe(404)
  })

  it('of modules beyond the 50th of a device lists each of them', async () => {
    await api.send('PUT', '/devices/full', {})
    const entries = Array.from({ length: 52 }, (_, index) => ({
      id: 'full',
      moduleId: `m${index}`,
      importMode: 'create',
    }))

    const reply = await bulk(...entries)

    const codes = reply.body.errors.map((error: { errorCode: string }) => error.errorCode)
    expect(codes).toEqual(['TooManyModulesOnDevice', 'TooManyModulesOnDevice'])
  })
})
