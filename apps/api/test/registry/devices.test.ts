import { gatewayId } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'
import { givenDevices } from '../given-devices.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const any = { 'if-match': '"*"' }
const emptyKeys = { authentication: { type: 'sas', symmetricKey: { primaryKey: '', secondaryKey: '' } } }

describe('a new device', () => {
  it('gets keys when it brings none, and is read back whole', async () => {
    const created = await api.send('PUT', '/devices/d1', { deviceId: 'd1', ...emptyKeys })
    const read = await api.send('GET', '/devices/d1')

    expect(created.status).toBe(200)
    expect(created.body).toEqual({
      deviceId: 'd1',
      generationId: expect.any(String),
      etag: expect.any(String),
      connectionState: 'Disconnected',
      connectionStateUpdatedTime: '0001-01-01T00:00:00Z',
      status: 'enabled',
      statusReason: null,
      statusUpdatedTime: '0001-01-01T00:00:00Z',
      lastActivityTime: '0001-01-01T00:00:00Z',
      cloudToDeviceMessageCount: 0,
      authentication: {
        symmetricKey: {
          primaryKey: expect.stringMatching(/^.{43}=$/),
          secondaryKey: expect.stringMatching(/^.{43}=$/),
        },
        x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
        type: 'sas',
      },
      capabilities: { iotEdge: false },
    })
    expect(read.body).toEqual(created.body)
    expect(read.headers.get('etag')).toBe(`"${read.body.etag}"`)
  })

  it('keeps what it brings', async () => {
    const symmetricKey = { primaryKey: 'cHJpbWFyeQ==', secondaryKey: 'c2Vjb25kYXJ5' }
    const body = {
      deviceId: 'd2',
      Status: 'Disabled',
      statusReason: 'new',
      authentication: { symmetricKey },
      capabilities: { iotEdge: true },
    }

    const { body: device } = await api.send('PUT', '/devices/d2', body)

    expect(device).toMatchObject({
      status: 'disabled',
      statusReason: 'new',
      authentication: { type: 'sas', symmetricKey },
      capabilities: { iotEdge: true },
    })
  })

  it('may have thumbprints', async () => {
    const x509Thumbprint = { primaryThumbprint: 'A'.repeat(40), secondaryThumbprint: null }

    const { body: device } = await api.send('PUT', '/devices/x1', { authentication: { x509Thumbprint } })

    expect(device.authentication).toEqual({
      type: 'selfSigned',
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint,
    })
  })

  it('has an id with any character that the rule allows, percent-encoded', async () => {
    const deviceId = "a-:.+%_#*?!(),=@;$'Z9"

    const created = await api.send('PUT', `/devices/${encodeURIComponent(deviceId)}`, { deviceId })
    const read = await api.send('GET', `/twins/${encodeURIComponent(deviceId)}`)

    expect(created.body.deviceId).toBe(deviceId)
    expect(read.body.deviceId).toBe(deviceId)
  })

  it('that exists is 409', async () => {
    await api.send('PUT', '/devices/twice', {})

    const again = await api.send('PUT', '/devices/twice', {})

    expect(again.status).toBe(409)
    expect(again.headers.get('iothub-errorcode')).toBe('DeviceAlreadyExists')
  })

  it.each([
    ['an id that breaks the rules', 'a b', {}, 'ArgumentInvalid', 'deviceId must be'],
    [
      'another id than the path',
      'bad',
      { deviceId: 'other' },
      'ArgumentInvalid',
      'deviceId in the body is "other", expected "bad"',
    ],
    [
      'an unknown status',
      'bad',
      { status: 'paused' },
      'ArgumentInvalid',
      'status must be one of enabled, disabled, got "paused"',
    ],
    ['a long reason', 'bad', { statusReason: 'x'.repeat(129) }, 'ArgumentInvalid', 'statusReason'],
    ['a reason with U+0000', 'bad', { statusReason: 'a\u0000' }, 'ArgumentInvalid', 'statusReason'],
    ['a list', 'bad', [], 'IotHubFormatError', 'the body'],
    ['no body', 'bad', undefined, 'ArgumentNull', 'the body is missing'],
    [
      'a thumbprint that is none',
      'bad',
      { authentication: { x509Thumbprint: { primaryThumbprint: 'xyz' } } },
      'ArgumentInvalid',
      '40 or 64 hexadecimal digits',
    ],
  ])('with %s is refused, and leaves nothing behind', async (_, deviceId, body, code, text) => {
    const refused = await api.send('PUT', `/devices/${encodeURIComponent(deviceId)}`, body)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain(`ErrorCode:${code};`)
    expect(refused.body.Message).toContain(text)
    expect((await api.send('GET', '/devices/bad')).status).toBe(404)
  })

  it('with a key that is no base64 is refused without repeating the key', async () => {
    const refused = await api.send('PUT', '/devices/bad', {
      authentication: { symmetricKey: { primaryKey: 'my secret!' } },
    })

    expect(refused.body.Message).toContain('authentication.symmetricKey.primaryKey must be base64')
    expect(refused.body.Message).not.toContain('secret')
  })
})

describe('an update', () => {
  it('keeps the keys that it does not name, as clients send it', async () => {
    const created = await api.send('PUT', '/devices/u1', {})

    const updated = await api.send(
      'PUT',
      '/devices/u1',
      { deviceId: 'u1', status: 'disabled', ...emptyKeys },
      { headers: any },
    )

    expect(updated.status).toBe(200)
    expect(updated.body).toMatchObject({ status: 'disabled', authentication: created.body.authentication })
    expect(updated.body.etag).not.toBe(created.body.etag)
    expect(updated.body.statusUpdatedTime).toBe('2026-03-02T12:00:00.000Z')
  })

  it('with the etag of the device succeeds once, quoted or bare', async () => {
    const { body: first } = await api.send('PUT', '/devices/u2', {})

    const second = await api.send(
      'PUT',
      '/devices/u2',
      { statusReason: 'a' },
      { headers: { 'if-match': `"${first.etag}"` } },
    )
    const stale = await api.send('PUT', '/devices/u2', { statusReason: 'b' }, { headers: { 'if-match': first.etag } })
    const bare = await api.send(
      'PUT',
      '/devices/u2',
      { statusReason: 'c' },
      { headers: { 'if-match': second.body.etag } },
    )

    expect([second.status, stale.status, bare.status]).toEqual([200, 412, 200])
    expect(stale.headers.get('iothub-errorcode')).toBe('PreconditionFailed')
    expect(bare.body.statusReason).toBe('c')
  })

  it('of an unknown device is 404', async () => {
    const missing = await api.send('PUT', '/devices/nobody', {}, { headers: { 'if-match': '*' } })

    expect(missing.headers.get('iothub-errorcode')).toBe('DeviceNotFound')
  })

  it('that many send at once is applied for each', async () => {
    await api.send('PUT', '/devices/u3', {})

    const reasons = ['a', 'b', 'c', 'd']
    const replies = await Promise.all(
      reasons.map((statusReason) => api.send('PUT', '/devices/u3', { statusReason }, { headers: any })),
    )

    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  })
})

describe('a device that may no longer connect', () => {
  it.each([
    ['disabled', 'PUT', { status: 'disabled' }],
    ['rekeyed', 'PUT', { authentication: { symmetricKey: { primaryKey: 'bmV3', secondaryKey: '' } } }],
    ['deleted', 'DELETE', undefined],
  ] as const)('loses its connection when it is %s', async (reason, method, body) => {
    const deviceId = `gone-${reason}`
    const gateway = gatewayId(`gateway-${reason}`)
    await api.send('PUT', `/devices/${deviceId}`, {})
    await connectDevice(api, deviceId, gateway)
    const closes: unknown[] = []
    await using _ = await api.bus.serveGateway(gateway, {
      call: () => {},
      dropCall: () => {},
      pushDesired: () => {},
      closeConnection: (close) => closes.push(close),
    })

    const reply = await api.send(method, `/devices/${deviceId}`, body, { headers: any })

    expect(reply.status).toBeLessThan(300)
    await expect.poll(() => closes).toEqual([{ identity: deviceId, connectionNo: null, reason }])
  })
})

it('a device keeps its connection when an update leaves its keys as they are', async () => {
  const created = await api.send('PUT', '/devices/stays', {})
  await connectDevice(api, 'stays', 'gateway-stays')
  const closes: string[] = []
  await using _ = await api.bus.serveGateway(gatewayId('gateway-stays'), {
    call: () => {},
    dropCall: () => {},
    pushDesired: () => {},
    closeConnection: ({ reason }) => closes.push(reason),
  })

  const { authentication } = created.body
  await api.send('PUT', '/devices/stays', { authentication, statusReason: 'moved' }, { headers: any })
  await api.send('DELETE', '/devices/stays', undefined, { headers: any })

  await expect.poll(() => closes).toEqual(['deleted'])
})

describe('a deletion', () => {
  it('is 204 without a body, and takes the twin with it', async () => {
    await api.send('PUT', '/devices/del1', {})

    const deleted = await api.send('DELETE', '/devices/del1', undefined, { headers: any })

    expect(deleted.status).toBe(204)
    expect(deleted.body).toBeUndefined()
    expect((await api.send('GET', '/twins/del1')).status).toBe(404)
  })

  it('checks the etag, and that there is such a device', async () => {
    await api.send('PUT', '/devices/del2', {})

    const stale = await api.send('DELETE', '/devices/del2', undefined, { headers: { 'if-match': '"AAAA"' } })
    const missing = await api.send('DELETE', '/devices/nobody')

    expect([stale.status, missing.status]).toEqual([412, 404])
  })
})

describe('the list of devices', () => {
  it('answers at /devices and at /devices/, in id order, with at most top devices', async () => {
    const all = await api.send('GET', '/devices')
    const slash = await api.send('GET', '/devices/')
    const two = await api.send('GET', '/devices/?top=2')

    expect(all.body.length).toBeGreaterThan(2)
    expect(slash.body).toEqual(all.body)
    expect(two.body).toEqual(all.body.slice(0, 2))
  })

  it.each(['0', '-1', 'ten', '1.5', '1e3', ' 5', '0x10'])('refuses top=%s', async (top) => {
    const refused = await api.send('GET', `/devices?top=${top}`)

    expect(refused.body.Message).toContain(`top must be a whole number from 1 to 1000, got "${top}"`)
  })
})

describe('the list of 1,001 devices', () => {
  let own: Api
  beforeAll(async () => {
    own = await openApi()
    await givenDevices(own, 1001)
  })
  afterAll(async () => own[Symbol.asyncDispose]())

  it.each([
    ['', 1000],
    ['?top=', 1000],
    ['?top=999', 999],
    ['?top=1000', 1000],
    ['?top=1001', 1000],
    ['?top=9999999999', 1000],
  ])('asked for at /devices%s holds %i', async (query, count) => {
    expect((await own.send('GET', `/devices${query}`)).body).toHaveLength(count)
  })
})
