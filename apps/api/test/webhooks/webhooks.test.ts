import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api

beforeAll(async () => {
  const addresses: Readonly<Record<string, string>> = { 'inner.example': '192.168.0.7', 'outer.example': '1.1.1.1' }
  api = await openApi({
    allowedNetworks: ['127.0.0.0/8'],
    async resolve(hostname) {
      const address = addresses[hostname]
      if (address === undefined) throw Object.assign(new Error('unknown'), { code: 'ENOTFOUND' })
      return [{ address, family: 4 }]
    },
  })
})
afterAll(() => api[Symbol.asyncDispose]())

const secret = 'sixteen-bytes-at-least'
const good = { url: 'https://outer.example/hook', secret }

describe('a webhook', () => {
  it('W11 is put and read as it was given, without its secret, and is gone when it is deleted', async () => {
    const members = {
      url: 'https://outer.example/hook?token=1',
      jobFilter: { jobIdPrefix: 'nightly-', type: 'scheduleUpdateTwin' },
    }
    const shown = {
      ...members,
      id: 'ci',
      events: ['ended', 'cancelled'],
      createdTime: '2026-03-02T12:00:00.000Z',
    }

    const put = await api.send('PUT', '/webhooks/ci', {
      ...members,
      events: ['ended', 'cancelled', 'ended'],
      secret,
    })
    const read = await api.send('GET', '/webhooks/ci')
    const list = await api.send('GET', '/webhooks')
    const deleted = await api.send('DELETE', '/webhooks/ci')

    expect([put.status, put.body]).toEqual([200, shown])
    expect([read.status, read.body]).toEqual([200, shown])
    expect([list.status, list.body]).toEqual([200, [shown]])
    expect(deleted.status).toBe(204)
    for (const { text } of [put, read, list]) expect(text).not.toContain(secret)
    for (const [method, path] of [
      ['GET', '/webhooks/ci'],
      ['DELETE', '/webhooks/ci'],
      ['POST', '/webhooks/ci/test'],
      ['POST', '/webhooks/ci/replay'],
      ['GET', '/webhooks/ci/deliveries'],
    ] as const) {
      const { status, body } = await api.send(method, path)
      expect([status, body.Message]).toEqual([404, 'ErrorCode:GenericNotFound;There is no webhook with the id ci'])
    }
  })

  it('is changed without its secret, and the odd form of its host is written out', async () => {
    await api.send('PUT', '/webhooks/odd', good)

    const changed = await api.send('PUT', '/webhooks/odd', { url: 'http://0x7f.1:9000' })

    expect(changed).toMatchObject({ status: 200, body: { id: 'odd', url: 'http://127.0.0.1:9000/' } })
  })

  it('is listed in pages', async () => {
    for (const id of ['p1', 'p2', 'p3']) await api.send('PUT', `/webhooks/${id}`, good)

    const first = await api.send('GET', '/webhooks?pageSize=2')
    const token = first.headers.get('x-ms-continuation') ?? ''
    const second = await api.send('GET', `/webhooks?pageSize=2&continuationToken=${token}`)

    expect(first.body).toHaveLength(2)
    expect(second.body[0].id > first.body[1].id).toBe(true)
    expect(first.headers.get('x-ms-item-type')).toBe('Webhook')
  })

  it('needs the permission of jobs', async () => {
    const refused = await api.send('PUT', '/webhooks/mine', good, { policy: 'registryReadWrite' })

    expect(refused.status).toBe(401)
  })
})

describe('W12 a bad webhook is refused, and the answer names the member, its value and what was expected', () => {
  const secretRule = 'secret must have 16 to 256 characters, or whsec_ and the base64 of at least 16 bytes, got one of'

  it.each([
    [{ secret }, 'url is missing; it must be a string'],
    [{ ...good, url: 7 }, 'url must be a string, got 7'],
    [{ ...good, url: 'receiver' }, 'url must begin with https:// or http:// and name a host, got "receiver"'],
    [
      { ...good, url: 'ftp://a.example' },
      'url must begin with https:// or http:// and name a host, got "ftp://a.example"',
    ],
    [
      { ...good, url: 'https://me:word@a.example' },
      'url must hold no user name and no password; the signature of a call tells who sends it',
    ],
    [{ ...good, url: 'https://a.example/#x' }, 'url must have no part after #, got "#x"'],
    [
      { ...good, events: ['ends'] },
      'events.0 must be one of created, started, stage, paused, resumed, changed, expired, cancelled, ended, got "ends"',
    ],
    [{ ...good, events: [] }, 'events must be a list of at least one kind, or absent for all, got []'],
    [{ ...good, events: 'ended' }, 'events must be an array, got "ended"'],
    [{ ...good, jobFilter: { jobIdPrefix: '' } }, 'jobFilter.jobIdPrefix must be at least 1 characters long, got ""'],
    [
      { ...good, jobFilter: { type: 'reboot' } },
      expect.stringMatching(/^jobFilter\.type must be one of .*scheduleUpdateTwin.*, got "reboot"$/),
    ],
    [{ ...good, jobFilter: [] }, 'jobFilter must be an object, got []'],
    [{ url: good.url }, 'secret is missing; the new webhook bad needs one of at least 16 characters'],
    [{ ...good, secret: 'short' }, `${secretRule} 5 characters`],
    [{ ...good, secret: 'whsec_c2hvcnQ=' }, `${secretRule} 14 characters`],
    [{ ...good, secret: 'whsec_this is no base64 at all' }, `${secretRule} 30 characters`],
  ])('%j', async (body, message) => {
    const { status, body: reply } = await api.send('PUT', '/webhooks/bad', body)

    expect(status).toBe(400)
    expect(reply.Message.replace(/^ErrorCode:\w+;/, '').replaceAll(', it must', '; it must')).toEqual(
      typeof message === 'string' ? message.replace(/; (?!it must)/, ', ') : message,
    )
  })

  it.each(['', '-a', 'a b', 'a/b', 'x'.repeat(65)])('the id %j', async (id) => {
    const { status } = await api.send('PUT', `/webhooks/${encodeURIComponent(id)}`, good)

    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })
})

describe('W10 a webhook to an inner address is refused when it is put', () => {
  it.each([
    ['http://10.0.0.1/', '10.0.0.1'],
    ['http://[fd00::1]/', 'fd00::1'],
    ['http://3232235777/', '192.168.1.1'],
    ['https://inner.example/', '192.168.0.7'],
  ])('%s', async (url, address) => {
    const { status, body } = await api.send('PUT', '/webhooks/inner', { ...good, url })

    expect(status).toBe(400)
    expect(body.Message).toContain('url must lead to a public address or to MUSTER_WEBHOOK_ALLOWED_NETWORKS')
    expect(body.Message).toContain(`the address ${address} is not allowed`)
  })

  it('and one whose name is not known yet is accepted, because each call looks again', async () => {
    expect((await api.send('PUT', '/webhooks/new', { ...good, url: 'https://new.example/' })).status).toBe(200)
  })
})
