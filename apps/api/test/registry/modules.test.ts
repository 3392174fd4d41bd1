import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'
import { listen } from '../listen.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  for (const id of ['lift', 'pump', 'full']) await api.send('PUT', `/devices/${id}`, {})
})
afterAll(async () => api[Symbol.asyncDispose]())

const any = { 'if-match': '"*"' }
const codeOf = (reply: { headers: Headers }) => reply.headers.get('iothub-errorcode')

describe('a new module', () => {
  it('gets keys of its own, and is read back whole', async () => {
    const body = { deviceId: 'lift', moduleId: 'door', ManagedBy: 'us', authentication: null }
    const created = await api.send('PUT', '/devices/lift/modules/door', body)
    const read = await api.send('GET', '/devices/lift/modules/door')

    expect(created.status).toBe(200)
    expect(created.body).toEqual({
      moduleId: 'door',
      managedBy: 'us',
      deviceId: 'lift',
      generationId: expect.any(String),
      etag: expect.stringMatching(/^[\w+/]+=*$/),
      connectionState: 'Disconnected',
      connectionStateUpdatedTime: '0001-01-01T00:00:00Z',
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
    })
    expect(read.body).toEqual(created.body)
    expect(read.headers.get('etag')).toBe(`"${created.body.etag}"`)
  })

  it('has an id with any character that the rule allows, percent-encoded', async () => {
    const moduleId = "m-:.+%_#*?!(),=@;$'Z9"

    const created = await api.send('PUT', `/devices/lift/modules/${encodeURIComponent(moduleId)}`, { moduleId })
    const twin = await api.send('GET', `/twins/lift/modules/${encodeURIComponent(moduleId)}`)

    expect(created.body.moduleId).toBe(moduleId)
    expect(twin.body).toMatchObject({ deviceId: 'lift', moduleId })
  })

  it('that exists is 409, on another device it is another module', async () => {
    await api.send('PUT', '/devices/lift/modules/twice', {})

    const again = await api.send('PUT', '/devices/lift/modules/twice', {})
    const elsewhere = await api.send('PUT', '/devices/pump/modules/twice', {})

    expect([again.status, codeOf(again)]).toEqual([409, 'ModuleAlreadyExistsOnDevice'])
    expect(elsewhere.status).toBe(200)
  })

  it('is the 50th of a device at most; the next is 413', async () => {
    const replies = await Promise.all(
      Array.from({ length: 51 }, (_, index) => api.send('PUT', `/devices/full/modules/m${index}`, {})),
    )

    expect(replies.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 50 }, () => 200), 413])
    expect(replies.map(codeOf).filter((code) => code !== null)).toEqual(['TooManyModulesOnDevice'])
    expect((await api.send('GET', '/devices/full/modules')).body).toHaveLength(50)
  })

  it.each([
    ['an id that breaks the rules', 'a b', {}, 'ArgumentInvalid', 'moduleId must be'],
    ['an id of 129 characters', 'x'.repeat(129), {}, 'ArgumentInvalid', 'moduleId must be 1 to 128'],
    ['another id than the path', 'bad', { moduleId: 'm2' }, 'ArgumentInvalid', 'moduleId in the body is "m2"'],
    ['another device than the path', 'bad', { deviceId: 'pump' }, 'ArgumentInvalid', 'expected "lift"'],
    ['a number for a caretaker', 'bad', { managedBy: 7 }, 'IotHubFormatError', 'managedBy must be a string, got 7'],
    ['a list', 'bad', [], 'IotHubFormatError', 'the body must be an object'],
    ['no body', 'bad', undefined, 'ArgumentNull', 'the body is missing'],
  ])('with %s is refused, and leaves nothing behind', async (_, moduleId, body, code, text) => {
    const refused = await api.send('PUT', `/devices/lift/modules/${encodeURIComponent(moduleId)}`, body)

    expect([refused.status, codeOf(refused)]).toEqual([400, code])
    expect(refused.body.Message).toContain(text)
    expect((await api.send('GET', '/devices/lift/modules/bad')).status).toBe(404)
  })
})

describe('an update of a module', () => {
  it('keeps what it does not name, and needs the etag it brings', async () => {
    const { body: first } = await api.send('PUT', '/devices/lift/modules/u1', { managedBy: 'us' })
    const update = (etag: string) =>
      api.send('PUT', '/devices/lift/modules/u1', { managedBy: 'them' }, { headers: { 'if-match': etag } })

    const replies = [await update(`"${first.etag}"`), await update(first.etag), await update('*'), await update('"*"')]

    expect(replies.map(({ status }) => status)).toEqual([200, 412, 200, 200])
    expect(replies[0]?.body).toMatchObject({ managedBy: 'them', authentication: first.authentication })
    expect(replies[0]?.headers.get('etag')).toBe(`"${replies[0]?.body.etag}"`)
  })

  it('ends its connection when it gives it other keys', async () => {
    await api.send('PUT', '/devices/lift/modules/rekeyed', {})
    await connectDevice(api, 'lift/rekeyed', 'gateway-rekeyed')
    await using heard = await listen(api, 'gateway-rekeyed')

    const authentication = { symmetricKey: { primaryKey: 'bmV3', secondaryKey: 'bmV3ZXI=' } }
    await api.send('PUT', '/devices/lift/modules/rekeyed', { authentication }, { headers: any })

    await expect.poll(() => heard.closes).toEqual([{ identity: 'lift/rekeyed', connectionNo: null, reason: 'rekeyed' }])
  })
})

describe('the modules of a device', () => {
  it('are a list in id order, empty when there are none', async () => {
    await api.send('PUT', '/devices/listed', {})
    const none = await api.send('GET', '/devices/listed/modules')
    for (const id of ['b', 'a', 'B']) await api.send('PUT', `/devices/listed/modules/${id}`, {})

    const all = await api.send('GET', '/devices/listed/modules/')

    expect(none.body).toEqual([])
    expect(all.body.map((module: { moduleId: string }) => module.moduleId)).toEqual(['B', 'a', 'b'])
  })

  it('are no devices', async () => {
    await api.send('PUT', '/devices/lift/modules/hidden', {})

    const { body } = await api.send('GET', '/devices')

    expect(body.map((device: { deviceId: string }) => device.deviceId)).not.toContain('lift/hidden')
  })

  it.each(['disabled', 'deleted'] as const)('lose their connections when it is %s', async (reason) => {
    const device = `parent-${reason}`
    await api.send('PUT', `/devices/${device}`, {})
    const modules = [`${device}/m`, `${device}/n`]
    for (const module of modules) {
      await api.send('PUT', `/devices/${module.replace('/', '/modules/')}`, {})
      await connectDevice(api, module, `gateway-${reason}`)
    }
    await using heard = await listen(api, `gateway-${reason}`)

    if (reason === 'disabled') await api.send('PUT', `/devices/${device}`, { status: 'disabled' }, { headers: any })
    else await api.send('DELETE', `/devices/${device}`, undefined, { headers: any })

    const told = modules.map((identity) => ({ identity, connectionNo: null, reason }))
    await expect.poll(() => heard.closes).toHaveLength(2)
    expect(heard.closes).toEqual(expect.arrayContaining(told))
  })
})

describe('a deletion of a module', () => {
  it('is 204, takes its twin, and leaves its device', async () => {
    await api.send('PUT', '/devices/lift/modules/gone', {})
    const stale = await api.send('DELETE', '/devices/lift/modules/gone', undefined, {
      headers: { 'if-match': '"AAAA"' },
    })

    const deleted = await api.send('DELETE', '/devices/lift/modules/gone', undefined, { headers: any })

    expect([stale.status, deleted.status]).toEqual([412, 204])
    expect((await api.send('GET', '/twins/lift/modules/gone')).status).toBe(404)
    expect((await api.send('GET', '/devices/lift')).status).toBe(200)
  })
})

describe('T18 what is not there', () => {
  const method = { methodName: 'ping' }

  it.each([
    ['GET', '/devices/lift/modules/none', undefined],
    ['PUT', '/devices/lift/modules/none', {}],
    ['DELETE', '/devices/lift/modules/none', undefined],
    ['GET', '/twins/lift/modules/none', undefined],
    ['PATCH', '/twins/lift/modules/none', { tags: { a: 1 } }],
    ['PUT', '/twins/lift/modules/none', {}],
    ['POST', '/twins/lift/modules/none/methods', method],
  ])('is told apart: %s %s', async (verb, path, body) => {
    const ofDevice = await api.send(verb, path, body, { headers: any })
    const ofNobody = await api.send(verb, path.replace('lift', 'nobody'), body, { headers: any })

    expect([ofDevice.status, codeOf(ofDevice)]).toEqual([404, 'ModuleNotFound'])
    expect([ofNobody.status, codeOf(ofNobody)]).toEqual([404, 'DeviceNotFound'])
  })

  it('is DeviceNotFound for the list, and for a creation', async () => {
    const list = await api.send('GET', '/devices/nobody/modules')
    const created = await api.send('PUT', '/devices/nobody/modules/m', {})

    expect([codeOf(list), codeOf(created)]).toEqual(['DeviceNotFound', 'DeviceNotFound'])
  })
})

it.each([
  ['GET', '/devices/lift/modules', 'service'],
  ['PUT', '/devices/lift/modules/x', 'registryRead'],
  ['DELETE', '/devices/lift/modules/x', 'registryRead'],
  ['GET', '/twins/lift/modules/x', 'registryReadWrite'],
  ['POST', '/twins/lift/modules/x/methods', 'registryReadWrite'],
])('%s %s is 401 for the policy %s', async (verb, path, policy) => {
  const refused = await api.send(verb, path, verb === 'GET' ? undefined : {}, { policy })

  expect(refused.status).toBe(401)
})
