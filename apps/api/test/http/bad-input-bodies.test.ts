import { limits } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  await api.send('PUT', '/devices/lift', {})
  await api.send('PUT', '/devices/lift/modules/door', {})
})
afterAll(async () => api[Symbol.asyncDispose]())

/** Every address that reads a body, and a member of it that holds a text, as JSON with % where that text goes. */
const addresses = [
  ['PUT', '/jobs/v2/bad', '{"type":"%","queryCondition":"*"}'],
  ['PUT', '/jobs/v2/lift/methods/bad', '{"cloudToDeviceMethod":{"methodName":"%"}}'],
  ['POST', '/jobs/v2/preview', '{"queryCondition":"tags.a = \'%\'"}'],
  ['POST', '/devices/query', '{"query":"SELECT * FROM devices WHERE tags.a = \'%\'"}'],
  ['POST', '/devices', '[{"id":"new","importMode":"create","statusReason":"%"}]'],
  ['PUT', '/devices/new', '{"statusReason":"%"}'],
  ['PUT', '/devices/lift/modules/new', '{"managedBy":"%"}'],
  ['PATCH', '/twins/lift', '{"tags":{"a":"%"}}'],
  ['PUT', '/twins/lift', '{"tags":{"a":"%"}}'],
  ['PATCH', '/twins/lift/modules/door', '{"properties":{"desired":{"a":"%"}}}'],
  ['PUT', '/twins/lift/modules/door', '{"properties":{"desired":{"a":"%"}}}'],
  ['POST', '/twins/lift/methods', '{"methodName":"%"}'],
  ['POST', '/twins/lift/modules/door/methods', '{"methodName":"%"}'],
] as const

const codeOf = (reply: { headers: Headers }) => reply.headers.get('iothub-errorcode')

/** What the registry and the twins hold: a refused request must leave it as it was. */
async function held() {
  const paths = ['/devices', '/devices/lift/modules', '/twins/lift', '/twins/lift/modules/door', '/jobs/v2/query']
  return Promise.all(paths.map(async (path) => (await api.send('GET', path)).body))
}

describe.each(addresses)('%s %s', (verb, path, template) => {
  const body = (text: string) => template.replace('%', text)

  it.each([
    ['breaks off', body('x').slice(0, -1), 'GenericBadRequest'],
    ['breaks off in a text', body('x').slice(0, -4), 'GenericBadRequest'],
    ['has a comma too many', body('x').replace(/(.)$/, ',$1'), 'GenericBadRequest'],
    ['has a comment', `/* ${body('x')} */`, 'GenericBadRequest'],
    ['holds NaN', `{"a":NaN,${body('x').slice(1)}`, 'GenericBadRequest'],
    ['holds half of a surrogate pair', body('\\ud83d'), 'GenericBadRequest'],
    ['holds the other half', body('\\ude00x'), 'GenericBadRequest'],
    ['holds a bare control character', body('a\u0001b'), 'GenericBadRequest'],
    ['is followed by another', `${body('x')}{}`, 'GenericBadRequest'],
    ['is XML', '<a/>', 'GenericBadRequest'],
    ['nests 65 levels deep', `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`, 'GenericBadRequest'],
    ['is a text', '"x"', 'IotHubFormatError'],
    ['is a number', '7', 'IotHubFormatError'],
    ['is true', 'true', 'IotHubFormatError'],
  ])('refuses a body that %s', async (_, text, code) => {
    const before = await held()

    const refused = await api.send(verb, path, undefined, { text })

    expect([refused.status, codeOf(refused)]).toEqual([400, code])
    expect(refused.body).toEqual({ Message: expect.any(String), ExceptionMessage: expect.any(String) })
    expect(await held()).toEqual(before)
  })

  it('refuses no body, null, and white space, in the same words', async () => {
    const texts = ['', 'null', ' \n ']

    const refused = await Promise.all(texts.map((text) => api.send(verb, path, undefined, { text })))

    for (const { status, body } of refused) {
      expect(status).toBe(400)
      expect(body.Message).toMatch(/the body (is missing|must be)/)
    }
  })

  it('refuses a text with U+0000, or carries it', async () => {
    const reply = await api.send(verb, path, undefined, { text: body('a\\u0000b') })

    expect([200, 400]).toContain(reply.status)
  })

  it('refuses bytes that are no UTF-8', async () => {
    const text = Buffer.concat([Buffer.from(body('').slice(0, -3)), Buffer.from([0xc3, 0x28])])

    expect(codeOf(await api.send(verb, path, undefined, { text }))).toBe('GenericBadRequest')
  })

  it('refuses a body over its limit, unread', async () => {
    const headers = { 'content-length': String(limits.jobBodyBytes + 1) }

    const refused = await api.send(verb, path, undefined, { text: body('x'), headers })

    expect([refused.status, codeOf(refused)]).toEqual([413, 'MessageTooLarge'])
  })

  it('reads the body whatever its content type says', async () => {
    const headers = { 'content-type': 'application/xml' }

    const refused = await api.send(verb, path, undefined, { text: '[', headers })

    expect(codeOf(refused)).toBe('GenericBadRequest')
  })
})

describe('a member that is there twice', () => {
  it('counts as it stands last', async () => {
    const text = '{"tags":{"a":1,"a":2},"tags":{"b":1,"b":{"c":3}}}'

    const { body } = await api.send('PUT', '/twins/lift', undefined, { text })

    expect(body.tags).toEqual({ b: { c: 3 } })
  })

  it('counts as it is spelled right, when its letter case differs', async () => {
    const text = '{"tags":{"a":1},"TAGS":{"a":2}}'

    const { body } = await api.send('PUT', '/twins/lift', undefined, { text })

    expect(body.tags).toEqual({ a: 1 })
  })
})

describe('an id that no identity can have', () => {
  const long = 'x'.repeat(257)

  it.each([
    ['GET', `/devices/${long}`],
    ['DELETE', `/devices/${long}`],
    ['GET', `/devices/${long}/modules`],
    ['GET', `/devices/lift/modules/${long}`],
    ['DELETE', `/devices/lift/modules/${long}`],
    ['GET', `/twins/${long}`],
    ['GET', `/twins/lift/modules/${long}`],
    ['GET', '/twins/a%00b'],
    ['GET', '/twins/%F0%9F%98%80'],
    ['GET', '/twins/a%2Fb'],
  ])('is refused: %s %s', async (verb, path) => {
    const refused = await api.send(verb, path)

    expect([refused.status, codeOf(refused)]).toEqual([400, 'ArgumentInvalid'])
  })
})
