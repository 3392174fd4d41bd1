import type { DeviceCall } from '@muster/bus'
import { gatewayId, storedIdentity } from '@muster/contract'
import { openSession, storeSubscriptions } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'

let api: Api
const calls: DeviceCall[] = []
let door: AsyncDisposable
beforeAll(async () => {
  api = await openApi()
  await api.send('PUT', '/devices/lift', {})
  await api.send('PUT', '/devices/lift/modules/door', {})
  door = await api.bus.serveGateway(gatewayId('gateway-1'), {
    call: (call, report) => {
      calls.push(call)
      for (const { identity } of call.targets)
        report({ identity, kind: 'answered', status: 200, payload: call.payload })
    },
    dropCall: () => {},
    pushDesired: () => {},
    closeConnection: () => {},
  })
  for (const key of ['lift', 'lift/door']) await connectDevice(api, key, 'gateway-1')
})
afterAll(async () => {
  await door[Symbol.asyncDispose]()
  await api[Symbol.asyncDispose]()
})

const invoke = (path: string, body: unknown) => api.send('POST', `/twins/${path}/methods`, body)
/** The second error form: JSON inside `Message`. */
const nested = (reply: { body: { Message: string } }) => JSON.parse(reply.body.Message)

describe.each([
  ['a device', 'lift', 'lift'],
  ['a module', 'lift/modules/door', 'lift/door'],
])('a direct method on %s', (_, path, key) => {
  it.each([[null], [0], [false], [''], [[]], [{}], ['text'], [{ a: [1, null] }]])(
    'carries the payload %j there and back',
    async (payload) => {
      const reply = await invoke(path, { methodName: 'echo', payload })

      expect(reply.body).toEqual({ status: 200, payload })
      expect(calls.at(-1)).toMatchObject({
        targets: [{ identity: key, delivery: 1 }],
        methodName: 'echo',
        payload: JSON.stringify(payload),
      })
    },
  )

  it('carries null when it brings no payload', async () => {
    expect((await invoke(path, { methodName: 'echo' })).body).toEqual({ status: 200, payload: null })
  })
})

describe('a direct method on a module that comes to', () => {
  it.each([
    ['noAnswer', 504101],
    ['badAnswer', 502000],
    ['notOnline', 404103],
    ['connectionLost', 404104],
    ['takenOver', 400027],
    ['busy', 403800],
    ['gatewayLost', 504101],
  ] as const)('%s is %i', async (kind, errorCode) => {
    const moduleId = `ends-in-${kind}`
    const identity = `lift/${moduleId}`
    await api.send('PUT', `/devices/lift/modules/${moduleId}`, {})
    await connectDevice(api, identity, moduleId)
    await using _ = await api.bus.serveGateway(gatewayId(moduleId), {
      call: (_, report) => report({ identity, kind, reason: 'no JSON' }),
      dropCall: () => {},
      pushDesired: () => {},
      closeConnection: () => {},
    })

    const reply = await invoke(`lift/modules/${moduleId}`, { methodName: 'echo' })

    expect(reply.status).toBe(Math.floor(errorCode / 1000))
    expect(nested(reply)).toMatchObject({ errorCode })
  })
})

describe('the payload', () => {
  it('may take 128 KiB of JSON, and not one byte more', async () => {
    const most = 'x'.repeat(128 * 1024 - 2)

    const accepted = await invoke('lift', { methodName: 'echo', payload: most })
    const refused = await invoke('lift', { methodName: 'echo', payload: `${most}x` })

    expect([accepted.status, refused.status]).toEqual([200, 413])
    expect(nested(refused)).toMatchObject({ errorCode: 413001 })
  })

  it.each(['{"serial":9007199254740993,"of":[-18446744073709551615,1e20]}', '9007199254740993'])(
    'H24 arrives as it was sent, and so does the answer: %s',
    async (payload) => {
      const text = `{"methodName":"echo","Payload":${payload}}`

      const reply = await api.send('POST', '/twins/lift/methods', undefined, { text })

      expect(calls.at(-1)?.payload).toBe(payload)
      expect(reply.text).toBe(`{"status":200,"payload":${payload}}`)
    },
  )
})

describe('time-outs', () => {
  it.each([
    ['responseTimeoutInSeconds', 5],
    ['responseTimeoutInSeconds', 300],
    ['timeoutInSeconds', 5],
    ['connectTimeoutInSeconds', 0],
    ['connectTimeoutInSeconds', 300],
    ['connectTimeoutInSeconds', null],
  ])('%s may be %j', async (member, seconds) => {
    const reply = await invoke('lift', { methodName: 'echo', [member]: seconds })

    expect(reply.status).toBe(200)
  })

  it.each([
    ['responseTimeoutInSeconds', 4, 'responseTimeoutInSeconds must be within [5; 300].'],
    ['responseTimeoutInSeconds', 301, 'responseTimeoutInSeconds must be within [5; 300].'],
    ['responseTimeoutInSeconds', 0, 'responseTimeoutInSeconds must be within [5; 300].'],
    ['connectTimeoutInSeconds', -1, 'connectTimeoutInSeconds must be within [0; 300].'],
    ['connectTimeoutInSeconds', 301, 'connectTimeoutInSeconds must be within [0; 300].'],
  ])('%s may not be %j', async (member, seconds, message) => {
    const refused = await invoke('lift', { methodName: 'echo', [member]: seconds })

    expect(refused.status).toBe(400)
    expect(nested(refused)).toMatchObject({ errorCode: 400004, message: `${message} Got ${seconds}` })
  })

  it.each([4, 301, '30', true])(
    'count by the newer name, whatever the older one holds: %j',
    async (timeoutInSeconds) => {
      const both = { methodName: 'echo', timeoutInSeconds, responseTimeoutInSeconds: 20 }

      expect((await invoke('lift', both)).status).toBe(200)
      expect((await invoke('lift', { ...both, responseTimeoutInSeconds: null })).status).toBe(400)
    },
  )

  it.each([1.5, '30', true, 9e15 + 0.5])('may not be %j', async (seconds) => {
    const refused = await invoke('lift', { methodName: 'echo', responseTimeoutInSeconds: seconds })

    expect(refused.status).toBe(400)
    expect(nested(refused).message).toContain('responseTimeoutInSeconds must be')
  })
})

describe('the method name', () => {
  it.each(['a', 'x'.repeat(128), "!#%&'*+-.^_`|~09AZaz"])('may be %s', async (methodName) => {
    expect((await invoke('lift', { methodName })).status).toBe(200)
  })

  it.each(['', 'x'.repeat(129), 'a b', 'a/b', 'a$', 'a(', 'ä', 'a\n', 'a\u0000', 7, null])(
    'may not be %j',
    async (methodName) => {
      const refused = await invoke('lift', { methodName })

      expect(refused.status).toBe(400)
      expect(nested(refused).message).toContain('methodName')
    },
  )
})

describe('the connect time-out', () => {
  it('waits for the connection, and then for the subscription', async () => {
    await api.send('PUT', '/devices/lift/modules/late', {})
    const [identity, gateway] = [storedIdentity('lift/late'), gatewayId('gateway-1')] as const

    const reply = invoke('lift/modules/late', { methodName: 'echo', payload: 'here', connectTimeoutInSeconds: 60 })
    const { connectionNo } = await openSession(api.db, { identity, gatewayId: gateway, clean: true }, api.clock.now())
    const atOnce = await invoke('lift/modules/late', { methodName: 'echo' })
    await storeSubscriptions(api.db, { identity, connectionNo }, [{ topic: '$iothub/methods/POST/#', qos: 0 }], true)

    expect(nested(atOnce)).toMatchObject({ errorCode: 404103, info: { timeout: '00:00:00' } })
    expect((await reply).body).toEqual({ status: 200, payload: 'here' })
  })

  it('is not waited for on a module that is not there, and waited out while its device is disabled', async () => {
    await api.send('PUT', '/devices/off', {})
    await api.send('PUT', '/devices/off/modules/m', {})
    await connectDevice(api, 'off/m', 'gateway-1')
    await api.send('PUT', '/devices/off', { status: 'disabled' }, { headers: { 'if-match': '*' } })
    const body = { methodName: 'echo', connectTimeoutInSeconds: 300 }

    const missing = await invoke('lift/modules/none', body)
    const disabled = await invoke('off/modules/m', { ...body, connectTimeoutInSeconds: 1 })

    expect(nested(missing)).toMatchObject({ errorCode: 404010 })
    expect(nested(disabled)).toMatchObject({ errorCode: 404103, info: { timeout: '00:00:01' } })
  })
})
