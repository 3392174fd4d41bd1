import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const any = { 'if-match': '"*"' }
const codeOf = (reply: { headers: Headers }) => reply.headers.get('iothub-errorcode')
const register = (deviceId: string, body: unknown, headers = {}) =>
  api.send('PUT', `/devices/${encodeURIComponent(deviceId)}`, body, { headers })

describe('a device id', () => {
  it.each(["-:.+%_#*?!(),=@;$'", 'x'.repeat(128), '%41', '%2F', 'a%', '#', '?', '$', "'", '+', 'Aa', 'aA'])(
    'may be %s, at every address',
    async (deviceId) => {
      const encoded = encodeURIComponent(deviceId)

      const created = await register(deviceId, { deviceId })
      const read = await api.send('GET', `/devices/${encoded}`)
      const twin = await api.send('PATCH', `/twins/${encoded}`, { tags: { a: 1 } })
      const modules = await api.send('GET', `/devices/${encoded}/modules`)
      const deleted = await api.send('DELETE', `/devices/${encoded}`, undefined, { headers: any })

      expect([created.status, read.status, twin.status, modules.status, deleted.status]).toEqual([
        200, 200, 200, 200, 204,
      ])
      expect([read.body.deviceId, twin.body.deviceId]).toEqual([deviceId, deviceId])
    },
  )

  it.each(['x'.repeat(129), 'x'.repeat(257), 'a b', 'a/b', 'a\\b', 'ä', 'a"b', 'a<b', 'a&b', 'a\u0000b', '😀'])(
    'may not be %j',
    async (deviceId) => {
      const refused = await register(deviceId, {})

      expect([refused.status, codeOf(refused)]).toEqual([400, 'ArgumentInvalid'])
      expect(refused.body.Message).toContain('deviceId must be 1 to 128 ASCII letters, digits and')
    },
  )

  it('is with regard to letter case', async () => {
    await register('Case', {})

    expect((await api.send('GET', '/devices/case')).status).toBe(404)
  })
})

describe('thumbprints', () => {
  const sha1 = 'a1B2'.repeat(10)
  const sha256 = 'c3D4'.repeat(16)
  const withThumbprints = (primaryThumbprint?: string | null, secondaryThumbprint?: string | null) => ({
    authentication: { type: 'selfSigned', x509Thumbprint: { primaryThumbprint, secondaryThumbprint } },
  })

  it.each([
    ['SHA-1', sha1, null],
    ['SHA-256', sha256, sha1],
    ['no first', '', sha256],
  ])('may be of %s, in any letter case, and are shown in upper case', async (name, primary, secondary) => {
    const { body } = await register(`thumb-${name.replace(' ', '')}`, withThumbprints(primary, secondary))

    expect(body.authentication).toEqual({
      type: 'selfSigned',
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: {
        primaryThumbprint: primary?.toUpperCase() || null,
        secondaryThumbprint: secondary?.toUpperCase() ?? null,
      },
    })
  })

  it('make a device one that signs its own certificate when its type is left out', async () => {
    const x509Thumbprint = { primaryThumbprint: null, secondaryThumbprint: sha1 }

    const { body } = await register('thumb-untyped', { authentication: { x509Thumbprint } })

    expect(body.authentication).toMatchObject({
      type: 'selfSigned',
      x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: sha1.toUpperCase() },
    })
  })

  it.each([
    ['the first', withThumbprints('A'.repeat(41)), 'primaryThumbprint must be 40 or 64 hexadecimal digits, got "AAAA'],
    ['the second', withThumbprints(sha1, 'g'.repeat(40)), 'secondaryThumbprint must be 40 or 64 hexadecimal digits'],
    ['one with colons', withThumbprints(`${sha1.slice(0, 38)}:1`), 'primaryThumbprint must be 40 or 64'],
  ])('of a wrong form are refused by name: %s', async (_, body, text) => {
    const refused = await register('thumbless', body)

    expect([refused.status, codeOf(refused)]).toEqual([400, 'ArgumentInvalid'])
    expect(refused.body.Message).toContain(`authentication.x509Thumbprint.${text}`)
  })

  it('are required of a device that signs its own certificate, one of them', async () => {
    const refused = await register('thumbless', withThumbprints(null, ''))

    expect([refused.status, codeOf(refused)]).toEqual([400, 'ArgumentNull'])
    expect(refused.body.Message).toContain('authentication.x509Thumbprint.primaryThumbprint is missing')
  })

  it('stay in an update that names none, and go when the type is another', async () => {
    await register('thumb-kept', withThumbprints(sha1, sha256))

    const kept = await register('thumb-kept', { authentication: { type: 'SelfSigned' } }, any)
    const changed = await register('thumb-kept', { authentication: { type: 'certificateAuthority' } }, any)

    expect(kept.body.authentication.x509Thumbprint).toEqual({
      primaryThumbprint: sha1.toUpperCase(),
      secondaryThumbprint: sha256.toUpperCase(),
    })
    expect(changed.body.authentication).toEqual({
      type: 'certificateAuthority',
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
    })
  })

  it.each([
    ['nothing', {}],
    ['empty keys, as clients fill them in', { symmetricKey: { primaryKey: '', secondaryKey: null } }],
    ['no thumbprints', { x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: '' } }],
  ])('stay, and their type too, in an update without a type that brings %s', async (what, authentication) => {
    const deviceId = `thumb-stays-${what.replace(/\W.*/, '')}-${what.length}`
    const { body: before } = await register(deviceId, withThumbprints(sha1, sha256))

    const { body: after } = await register(deviceId, { authentication }, any)

    expect(after.authentication).toEqual(before.authentication)
  })

  it('and keys make the type of an update that has none, whatever it was before', async () => {
    const symmetricKey = { primaryKey: 'cHJpbWFyeQ==', secondaryKey: 'c2Vjb25kYXJ5' }
    await register('thumb-changes', withThumbprints(sha1))

    const { body: keyed } = await register('thumb-changes', { authentication: { symmetricKey } }, any)
    const { body: signed } = await register(
      'thumb-changes',
      { authentication: { ...withThumbprints(sha256).authentication, type: null } },
      any,
    )

    expect(keyed.authentication).toMatchObject({ type: 'sas', symmetricKey })
    expect(signed.authentication).toMatchObject({
      type: 'selfSigned',
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: { primaryThumbprint: sha256.toUpperCase() },
    })
  })

  it('and their type are shown by the twin', async () => {
    await register('thumb-twin', withThumbprints(sha1))

    const { body } = await api.send('GET', '/twins/thumb-twin')

    expect(body).toMatchObject({
      authenticationType: 'selfSigned',
      x509Thumbprint: { primaryThumbprint: sha1.toUpperCase(), secondaryThumbprint: null },
    })
  })
})

describe('keys', () => {
  it('are made when they are left out, null or empty, and kept by an update', async () => {
    const symmetricKey = { primaryKey: 'cHJpbWFyeQ==', secondaryKey: null }
    const { body: half } = await register('half', { authentication: { type: 'sas', symmetricKey } })

    const { body: updated } = await register('half', { authentication: { type: 'sas' } }, any)

    expect(half.authentication.symmetricKey.primaryKey).toBe('cHJpbWFyeQ==')
    expect(half.authentication.symmetricKey.secondaryKey).toMatch(/^.{43}=$/)
    expect(updated.authentication).toEqual(half.authentication)
  })
})

describe('the status', () => {
  it('has a time that moves when it changes, and not otherwise', async () => {
    const times: string[] = []
    const note = (reply: { body: { statusUpdatedTime: string } }) => times.push(reply.body.statusUpdatedTime)
    const move = (clock: string) => {
      api.clock.time = new Date(`2026-03-02T${clock}Z`)
    }
    note(await register('timed', { status: 'enabled' }))
    move('13:00:00')
    note(await register('timed', { status: 'disabled', statusReason: 'x'.repeat(128) }, any))
    move('14:00:00')
    note(await register('timed', { statusReason: 'still' }, any))
    move('15:00:00')
    note(await register('timed', { status: 'enabled', statusReason: null }, any))
    move('12:00:00')

    const { body: twin } = await api.send('GET', '/twins/timed')

    expect(times).toEqual([
      '0001-01-01T00:00:00Z',
      '2026-03-02T13:00:00.000Z',
      '2026-03-02T13:00:00.000Z',
      '2026-03-02T15:00:00.000Z',
    ])
    expect(twin.statusUpdateTime).toBe('2026-03-02T15:00:00.000Z')
    expect(twin).not.toHaveProperty('statusReason')
  })
})

describe('a device that is created again', () => {
  it('has another generation, keys of its own, and a twin that begins anew', async () => {
    const first = await register('reborn', {})
    await api.send('PATCH', '/twins/reborn', { tags: { a: 1 } })
    await api.send('DELETE', '/devices/reborn', undefined, { headers: any })

    const second = await register('reborn', {})

    expect(second.body.generationId).not.toBe(first.body.generationId)
    expect(second.body.authentication).not.toEqual(first.body.authentication)
    expect((await api.send('GET', '/twins/reborn')).body).toMatchObject({ version: 2, etag: 'AAAAAAAAAAE=' })
  })
})

describe('If-Match', () => {
  it.each(['*', '"*"', '%', '"%"'])('%s lets a device that has it be updated and deleted', async (ifMatch) => {
    const deviceId = `match-${Buffer.from(ifMatch).toString('hex')}`
    const having = (etag: string) => ({ 'if-match': ifMatch.replace('%', etag) })
    const first = await register(deviceId, {})

    const updated = await register(deviceId, {}, having(first.body.etag))
    const headers = having(updated.body.etag)
    const deleted = await api.send('DELETE', `/devices/${deviceId}`, undefined, { headers })

    expect([updated.status, deleted.status]).toEqual([200, 204])
    expect(countOf(updated.body.etag)).toBe(countOf(first.body.etag) + 1)
  })

  it('of a device that was deleted is 412 for its successor', async () => {
    const first = await register('succeeded', {})
    await api.send('DELETE', '/devices/succeeded', undefined, { headers: any })
    await register('succeeded', {})
    const headers = { 'if-match': `"${first.body.etag}"` }

    const updated = await register('succeeded', {}, headers)
    const deleted = await api.send('DELETE', '/devices/succeeded', undefined, { headers })

    expect([updated.status, deleted.status]).toEqual([412, 412])
  })

  it.each(['"Mg=="', 'Mg==', '"mq=="', '**'])('%s is 412 for a device that has not', async (etag) => {
    const deviceId = `other-${Buffer.from(etag).toString('hex')}`
    const headers = { 'if-match': etag }
    await register(deviceId, {})

    const updated = await register(deviceId, {}, headers)
    const deleted = await api.send('DELETE', `/devices/${deviceId}`, undefined, { headers })

    expect([updated.status, deleted.status, codeOf(deleted)]).toEqual([412, 412, 'PreconditionFailed'])
  })

  it('lets one of many updates win that bring the same etag at the same time', async () => {
    const { body } = await register('raced', {})

    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, writer) =>
        register('raced', { statusReason: String(writer) }, { 'if-match': `"${body.etag}"` }),
      ),
    )

    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 412)])
  })

  it('* refuses none of many updates at the same time, and loses none of them', async () => {
    await register('shared', {})

    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, writer) =>
        register('shared', writer % 2 === 0 ? { statusReason: 'x' } : { capabilities: { iotEdge: true } }, any),
      ),
    )

    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
    expect(new Set(replies.map(({ body }) => body.etag)).size).toBe(20)
    expect((await api.send('GET', '/devices/shared')).body).toMatchObject({
      statusReason: 'x',
      capabilities: { iotEdge: true },
    })
  })
})

/** The number in an etag of a device. */
function countOf(etag: string): number {
  return Number(Buffer.from(etag, 'base64').toString())
}
