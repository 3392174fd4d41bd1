import { gatewayId } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

describe('a twin', () => {
  it('is read whole, with its etag as a header', async () => {
    await api.send('PUT', '/devices/t1', {})

    const { body, headers } = await api.send('GET', '/twins/t1')

    expect(body).toMatchObject({
      deviceId: 't1',
      status: 'enabled',
      connectionState: 'Disconnected',
      properties: { desired: { $version: 1 }, reported: { $version: 1 } },
    })
    expect(headers.get('etag')).toBe(`"${body.etag}"`)
  })

  it('is patched by members of any letter case, read-only ones ignored', async () => {
    await api.send('PUT', '/devices/t2', {})
    const patch = {
      Tags: { floor: 3, gone: null },
      Properties: { Desired: { mode: 'eco', Mode: 'other', $version: 9 }, REPORTED: { x: 1 } },
      version: 77,
    }

    const patched = await api.send('PATCH', '/twins/t2', patch)
    const read = await api.send('GET', '/twins/t2')

    expect(patched.status).toBe(200)
    expect(patched.body).toEqual(read.body)
    expect(read.body.tags).toEqual({ floor: 3 })
    expect(read.body.properties.desired).toMatchObject({ mode: 'eco', Mode: 'other', $version: 2 })
    expect(read.body.properties.reported).not.toHaveProperty('x')
    expect(patched.headers.get('etag')).toBe(`"${read.body.etag}"`)
  })

  it.each(
    ['device', 'module'].flatMap((whose) =>
      Object.entries({ '"%"': 200, '%': 200, '"*"': 200, '*': 200, '"AAAA"': 412, AAAA: 412 }).map(
        ([ifMatch, status]) => [whose, ifMatch, status] as const,
      ),
    ),
  )('of a %s, patched with If-Match %s is %i', async (whose, ifMatch, status) => {
    const deviceId = `match-${whose}-${Buffer.from(ifMatch).toString('hex')}`
    const own = whose === 'module' ? `${deviceId}/modules/m` : deviceId
    await api.send('PUT', `/devices/${deviceId}`, {})
    if (whose === 'module') await api.send('PUT', `/devices/${own}`, {})
    const { body } = await api.send('GET', `/twins/${own}`)

    const headers = { 'if-match': ifMatch.replace('%', body.etag) }
    const patched = await api.send('PATCH', `/twins/${own}`, { tags: { a: 1 } }, { headers })

    expect(patched.status).toBe(status)
  })

  it.each([
    ['no body', undefined, 'ArgumentNull', 'the body is missing'],
    ['a text', 'x', 'IotHubFormatError', 'the body must be an object, got "x"'],
    ['tags that are no object', { tags: 7 }, 'IotHubFormatError', 'tags must be an object, got 7'],
    ['a bad key', { properties: { desired: { 'a.b': 1 } } }, 'ArgumentInvalid', 'properties.desired: the key "a.b"'],
    ['a large value', { tags: { a: 'x'.repeat(4097) } }, 'ArgumentInvalid', 'tags.a: its text takes 4097 bytes'],
    [
      'tags that grow too large',
      { tags: { a: 'x'.repeat(4000), b: 'x'.repeat(4000), c: 'x'.repeat(1000) } },
      'ArgumentInvalid',
      'tags would take',
    ],
  ])('refuses %s', async (_, body, code, text) => {
    await api.send('PUT', '/devices/t3', {})

    const refused = await api.send('PATCH', '/twins/t3', body)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain(`ErrorCode:${code};${text}`)
    expect((await api.send('GET', '/twins/t3')).body.version).toBe(2)
  })

  it('T18 of a module is read and patched at an address of its own', async () => {
    await api.send('PUT', '/devices/t5', {})
    await api.send('PUT', '/devices/t5/modules/m', {})
    const ofDevice = await api.send('GET', '/twins/t5')

    const patched = await api.send('PATCH', '/twins/t5/modules/m', { properties: { desired: { mode: 'eco' } } })
    const read = await api.send('GET', '/twins/t5/modules/m')

    expect([patched.status, read.status]).toEqual([200, 200])
    expect(read.body).toMatchObject({ deviceId: 't5', moduleId: 'm', properties: { desired: { mode: 'eco' } } })
    expect(patched.body).toEqual(read.body)
    expect(patched.headers.get('etag')).toBe(`"${read.body.etag}"`)
    expect((await api.send('GET', '/twins/t5')).body).toEqual(ofDevice.body)
  })

  it('of an unknown device is 404', async () => {
    const read = await api.send('GET', '/twins/nobody')
    const patched = await api.send('PATCH', '/twins/nobody', { tags: {} })

    expect([read.status, patched.status]).toEqual([404, 404])
    expect(read.headers.get('iothub-errorcode')).toBe('DeviceNotFound')
  })
})

describe('a connected device', () => {
  it('is told of a desired patch with its version, of a cleared section member by member, and of tags nothing', async () => {
    const gateway = gatewayId('gateway-twins')
    await api.send('PUT', '/devices/t4', {})
    await connectDevice(api, 't4', gateway)
    const pushes: unknown[] = []
    await using _ = await api.bus.serveGateway(gateway, {
      call: () => {},
      closeConnection: () => {},
      dropCall: () => {},
      pushDesired: (push) => pushes.push(push),
    })

    await api.send('PATCH', '/twins/t4', { tags: { a: 1 } })
    await api.send('PATCH', '/twins/t4', { properties: { desired: { mode: 'eco', limit: 3 } } })
    await api.send('PATCH', '/twins/t4', { properties: { desired: null } })

    await expect
      .poll(() => pushes)
      .toEqual([
        { patch: { mode: 'eco', limit: 3 }, devices: [{ identity: 't4', version: 2 }] },
        { patch: { mode: null, limit: null }, devices: [{ identity: 't4', version: 3 }] },
      ])
  })
})
