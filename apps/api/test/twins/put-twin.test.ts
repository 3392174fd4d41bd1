import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const codeOf = (reply: { headers: Headers }) => reply.headers.get('iothub-errorcode')

/** A twin with something in both sections, of a device or of a module: `device/modules/module`. */
async function givenTwin(own: string) {
  const [deviceId] = own.split('/')
  await api.send('PUT', `/devices/${deviceId}`, {})
  if (own !== deviceId) await api.send('PUT', `/devices/${own}`, {})
  const body = {
    tags: { floor: 3, wing: { side: 'left' } },
    properties: { desired: { mode: 'eco', fan: { speed: 2 } } },
  }
  return (await api.send('PATCH', `/twins/${own}`, body)).body
}

describe('PUT of a twin', () => {
  it.each([
    ['a device', 'r1'],
    ['a module', 'r1/modules/m'],
  ])('T14 replaces tags and desired properties of %s, with a stamp at each of them', async (_, own) => {
    await givenTwin(own)
    const body = { Tags: { floor: 4, none: null }, properties: { desired: { fan: { on: true, gone: null } } } }

    const replaced = await api.send('PUT', `/twins/${own}`, body)

    const stamp = { $lastUpdated: '2026-03-02T12:00:00.000Z', $lastUpdatedVersion: 3 }
    expect(replaced.status).toBe(200)
    expect(replaced.body).toMatchObject({ version: 4, tags: { floor: 4 } })
    expect(replaced.body.tags).toEqual({ floor: 4 })
    expect(replaced.body.properties.desired).toEqual({
      fan: { on: true },
      $metadata: { ...stamp, fan: { ...stamp, on: stamp } },
      $version: 3,
    })
    expect(replaced.headers.get('etag')).toBe(`"${replaced.body.etag}"`)
    expect((await api.send('GET', `/twins/${own}`)).body).toEqual(replaced.body)
  })

  it.each([
    ['an empty body', {}],
    ['empty properties', { properties: {} }],
    ['null', { tags: null, properties: { desired: null } }],
  ])('T14 clears the sections that %s leaves out', async (name, body) => {
    const deviceId = `cleared-by-${name.replaceAll(' ', '-')}`
    await givenTwin(deviceId)

    const { body: twin } = await api.send('PUT', `/twins/${deviceId}`, body)

    expect(twin).not.toHaveProperty('tags')
    expect(Object.keys(twin.properties.desired)).toEqual(['$metadata', '$version'])
  })

  it('T14 takes back what a read has given, and ignores what is read-only', async () => {
    const twin = await givenTwin('readback')

    const replaced = await api.send('PUT', '/twins/readback', {
      ...twin,
      version: 77,
      status: 'disabled',
      deviceId: 'another',
      properties: { ...twin.properties, reported: { x: 1 } },
    })

    expect(replaced.body).toMatchObject({ deviceId: 'readback', status: 'enabled', version: 4, tags: twin.tags })
    expect(replaced.body.properties.desired).toMatchObject({ mode: 'eco', fan: { speed: 2 }, $version: 3 })
    expect(replaced.body.properties.reported).toEqual(twin.properties.reported)
  })

  it.each(
    ['device', 'module'].flatMap((whose) =>
      Object.entries({ '"%"': 200, '%': 200, '"*"': 200, '*': 200, '"AAAA"': 412, AAAA: 412 }).map(
        ([ifMatch, status]) => [ifMatch, status, whose] as const,
      ),
    ),
  )('T8 with If-Match %s is %i, of a %s', async (ifMatch, status, whose) => {
    const deviceId = `match-${whose}-${Buffer.from(ifMatch).toString('hex')}`
    const own = whose === 'module' ? `${deviceId}/modules/m` : deviceId
    const { etag } = await givenTwin(own)

    const headers = { 'if-match': ifMatch.replace('%', etag) }
    const replaced = await api.send('PUT', `/twins/${own}`, { tags: { a: 1 } }, { headers })

    expect(replaced.status).toBe(status)
  })

  it.each(['PUT', 'PATCH'])(
    'T15 of many %s requests that bring one etag at the same time, one is applied',
    async (verb) => {
      const deviceId = `race-${verb}`
      const { etag } = await givenTwin(deviceId)

      const replies = await Promise.all(
        Array.from({ length: 12 }, (_, writer) =>
          api.send(verb, `/twins/${deviceId}`, { tags: { writer } }, { headers: { 'if-match': `"${etag}"` } }),
        ),
      )

      const winners = replies.filter(({ status }) => status === 200)
      expect(winners).toHaveLength(1)
      expect(replies.filter((reply) => codeOf(reply) === 'PreconditionFailed')).toHaveLength(11)
      expect((await api.send('GET', `/twins/${deviceId}`)).body).toEqual(winners[0]?.body)
    },
  )

  it.each([
    ['no body', undefined, 'ArgumentNull', 'the body is missing'],
    ['a list', [], 'IotHubFormatError', 'the body must be an object'],
    [
      'desired properties that are no object',
      { properties: { desired: 'x' } },
      'IotHubFormatError',
      'properties.desired',
    ],
    ['a bad key', { tags: { 'a b': 1 } }, 'ArgumentInvalid', 'tags: the key "a b"'],
    [
      'tags over 8 KB',
      { tags: { a: 'x'.repeat(4000), b: 'x'.repeat(4000), c: 'x'.repeat(200) } },
      'ArgumentInvalid',
      'tags would take',
    ],
  ])('of %s is refused, and changes nothing', async (name, body, code, text) => {
    const deviceId = `refused-${name.replaceAll(' ', '-')}`
    const twin = await givenTwin(deviceId)

    const refused = await api.send('PUT', `/twins/${deviceId}`, body)

    expect([refused.status, codeOf(refused)]).toEqual([400, code])
    expect(refused.body.Message).toContain(text)
    expect((await api.send('GET', `/twins/${deviceId}`)).body).toEqual(twin)
  })

  it('of an unknown device is 404, without the permission 401', async () => {
    const missing = await api.send('PUT', '/twins/nobody', {})
    const refused = await api.send('PUT', '/twins/nobody', {}, { policy: 'registryReadWrite' })

    expect([missing.status, codeOf(missing)]).toEqual([404, 'DeviceNotFound'])
    expect(refused.status).toBe(401)
  })
})
