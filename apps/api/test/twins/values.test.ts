import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

let twin = ''
beforeEach(async ({ task }) => {
  const deviceId = `values-${task.id}`.replaceAll('_', '-')
  await api.send('PUT', `/devices/${deviceId}`, {})
  twin = `/twins/${deviceId}`
})

const sendText = (method: string, path: string, text: string) => api.send(method, path, undefined, { text })
const job = (updateTwin: string) =>
  sendText('PUT', '/jobs/v2/refused', `{"type":"scheduleUpdateTwin","queryCondition":"*","updateTwin":${updateTwin}}`)
const bulk = (tags: string) =>
  sendText('POST', '/devices', `[{"id":"${twin.slice(7)}","importMode":"updateTwin","tags":${tags}}]`)

describe('null inside a list', () => {
  it.each(['PATCH', 'PUT'])('T20 is refused with its path: %s', async (verb) => {
    const refused = await api.send(verb, twin, { properties: { desired: { a: [1, { b: null }] } } })

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toBe(
      'ErrorCode:ArgumentInvalid;properties.desired.a[1].b: null is not allowed inside a list',
    )
    expect((await api.send('GET', twin)).body.version).toBe(2)
  })

  it('T20 is refused with its path in the patch of a job, and no job is created', async () => {
    const refused = await job('{"etag":"*","tags":{"a":[null]}}')

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toBe('ErrorCode:ArgumentInvalid;tags.a[0]: null is not allowed inside a list')
    expect((await api.send('GET', '/jobs/v2/refused')).status).toBe(404)
  })
})

describe('a number', () => {
  it.each(['PATCH', 'PUT'])('T21 that is an integer out of range is quoted as it was sent: %s', async (verb) => {
    const refused = await sendText(verb, twin, '{"tags":{"a":[9007199254740993]}}')

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain('tags.a[0]: the integer 9007199254740993 must lie between')
  })

  it('T21 that is an integer out of range is quoted in the patch of a job and of a bulk request', async () => {
    const text = 'tags.a: the integer -9007199254740993 must lie between'

    expect((await job('{"etag":"*","Tags":{"a":-9007199254740993}}')).body.Message).toContain(text)
    expect((await bulk('{"a":-9007199254740993}')).body.errors[0].errorStatus).toContain(text)
  })

  it('T21 with an exponent or a fraction is a double, and the twin may be sent back as it is shown', async () => {
    const written = await sendText('PATCH', twin, '{"tags":{"a":1e20,"b":[4503599627370496.0],"c":1.5E300,"d":1.0}}')
    const read = await api.send('GET', twin)
    const sentBack = await sendText('PUT', twin, read.text)

    expect([written.status, read.status, sentBack.status]).toEqual([200, 200, 200])
    expect(sentBack.body.tags).toEqual({ a: 1e20, b: [4503599627370496], c: 1.5e300, d: 1 })
    expect(read.text).toContain('"tags":{"a":1e+20,"b":[4.503599627370496e+15],"c":1.5e+300,"d":1}')
  })

  it('T21 that is a double of any size can be written by a job', async () => {
    const path = '/jobs/v2/doubles'
    const body = '{"type":"scheduleUpdateTwin","queryCondition":"*","updateTwin":{"etag":"*","tags":{"a":1e20}}}'

    expect((await sendText('PUT', path, body)).status).toBe(200)
    expect((await api.send('GET', path)).text).toContain('"tags":{"a":1e+20}')
  })
})

describe('a patch that names nothing of a twin', () => {
  it.each([
    ['PATCH', '{"interval":5}', 'the body has the member interval, and none of a twin'],
    ['PUT', '{"desired":{"interval":5}}', 'the body has the member desired, and none of a twin'],
    [
      'PATCH',
      '{"properties":{"interval":5,"mode":"eco"}}',
      'properties has the members interval, mode, and no section',
    ],
  ])('T22 is refused, and told where its properties belong: %s %s', async (verb, text, fault) => {
    const refused = await sendText(verb, twin, text)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain(`ErrorCode:ArgumentInvalid;${fault}, desired properties belong in`)
    expect((await api.send('GET', twin)).body.version).toBe(2)
  })

  it('T22 is not {}, nor a whole twin as it was read', async () => {
    const whole = (await api.send('GET', twin)).text

    expect((await sendText('PATCH', twin, '{}')).status).toBe(200)
    expect((await sendText('PATCH', twin, whole)).status).toBe(200)
    expect((await sendText('PUT', twin, whole)).status).toBe(200)
  })
})
