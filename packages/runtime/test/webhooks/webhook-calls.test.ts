import { createHmac } from 'node:crypto'
import { createServer } from 'node:net'
import { startReceiver } from '@muster/testkit'
import { expect, it, vi } from 'vitest'
import { listen } from '../../src/index.ts'
import type { Resolve } from '../../src/webhooks/checked-lookup.ts'
import { createWebhookCalls } from '../../src/webhooks/webhook-calls.ts'

const noon = new Date('2026-03-02T12:00:00Z')
const clock = { now: () => noon }
const secret = 'sixteen-bytes-at-least'
const call = { secret, id: '42', body: '{"eventId":"42"}' }

const local = ['127.0.0.0/8']
const open = createWebhookCalls({ clock, allowedNetworks: local })
const hasty = createWebhookCalls({ clock, allowedNetworks: local, timeoutMs: 200 })

/** Each lookup of a name finds the next address, and the last one from then on. */
function resolving(...addresses: readonly string[]): Resolve & { readonly asked: string[] } {
  const asked: string[] = []
  const resolve = async (hostname: string) => {
    asked.push(hostname)
    const address = addresses[Math.min(asked.length, addresses.length) - 1] ?? ''
    return [{ address, family: address.includes(':') ? 6 : 4 }]
  }
  return Object.assign(resolve, { asked })
}

it.each([
  [secret, Buffer.from(secret)],
  ['whsec_c2l4dGVlbi1ieXRlcy1hdC1sZWFzdA==', Buffer.from('sixteen-bytes-at-least')],
])('W5 a call is signed with the secret %j, and has the id of its event and the time of the hub', async (text, key) => {
  await using receiver = await startReceiver()

  const answer = await open.send({ ...call, secret: text, url: receiver.url })

  expect(answer).toEqual({ status: 204, failure: null })
  const [first] = receiver.received
  const timestamp = String(noon.getTime() / 1000)
  expect(first?.body).toBe(call.body)
  expect(first?.headers).toMatchObject({
    'content-type': 'application/json',
    'webhook-id': '42',
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${createHmac('sha256', key).update(`42.${timestamp}.${call.body}`).digest('base64')}`,
  })
})

it.each([
  [200, null],
  [299, null],
  [404, 'status 404'],
  [410, 'status 410'],
  [500, 'status 500'],
])('W6 the status %i is success or failure by its class', async (status, failure) => {
  await using receiver = await startReceiver((response) => response.writeHead(status).end('whatever'))

  expect(await open.send({ ...call, url: receiver.url })).toEqual({ status, failure })
})

it('W6 a redirect is a failure and is not followed, to an inner address least of all', async () => {
  await using inner = await startReceiver()
  await using receiver = await startReceiver((response) => response.writeHead(307, { location: inner.url }).end())

  const answer = await open.send({ ...call, url: receiver.url })

  expect(answer).toEqual({ status: 307, failure: 'status 307: a redirect is not followed' })
  expect(inner.received).toEqual([])
})

it('W6 a receiver that takes the call and never answers is given up at the time limit', async () => {
  await using receiver = await startReceiver(() => {})

  expect(await hasty.send({ ...call, url: receiver.url })).toEqual({ status: null, failure: 'no answer within 0.2 s' })
  expect(receiver.received).toHaveLength(1)
})

it('W6 a receiver whose TLS handshake never comes is given up at the time limit', async () => {
  const server = createServer()
  const port = await listen(server, { name: 'a port', port: 0 })

  const answer = await hasty.send({ ...call, url: `https://127.0.0.1:${port}/` })

  server.close()
  expect(answer).toEqual({ status: null, failure: 'no answer within 0.2 s' })
})

it('W6 a name whose lookup never ends is given up at the time limit, and looked up once for all who wait', async () => {
  let asked = 0
  const resolve = () => {
    asked += 1
    return new Promise<never>(() => {})
  }
  const calls = createWebhookCalls({ clock, allowedNetworks: local, resolve, timeoutMs: 200 })

  const answers = await Promise.all([1, 2, 3].map(() => calls.send({ ...call, url: 'http://slow.example/' })))

  expect(answers).toEqual(Array(3).fill({ status: null, failure: 'no answer within 0.2 s' }))
  expect(asked).toBe(1)
})

it('W6 the status counts, though the body of the answer never ends or breaks off', async () => {
  await using endless = await startReceiver((response) => void response.writeHead(200).write('x'))
  await using broken = await startReceiver((response) => {
    response.writeHead(500, { 'content-length': 100 }).write('x', () => response.destroy())
  })
  await using large = await startReceiver((response) => response.writeHead(200).end(Buffer.alloc(10_000_000)))

  const patient = createWebhookCalls({ clock, allowedNetworks: local, timeoutMs: 2_000 })
  expect(await patient.send({ ...call, url: endless.url })).toEqual({ status: 200, failure: null })
  expect(await open.send({ ...call, url: broken.url })).toEqual({ status: 500, failure: 'status 500' })
  expect(await open.send({ ...call, url: large.url })).toEqual({ status: 200, failure: null })
})

it('W6 a connection that is refused says so by its code', async () => {
  const receiver = await startReceiver()
  await receiver[Symbol.asyncDispose]()

  expect(await open.send({ ...call, url: receiver.url })).toEqual({ status: null, failure: 'no answer: ECONNREFUSED' })
})

it.each([
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://[::1]/',
  'http://[::ffff:10.0.0.1]/',
  'https://169.254.169.254/latest/meta-data',
])('W10 %s is refused, before and at the call', async (url) => {
  const closed = createWebhookCalls({ clock, allowedNetworks: [] })
  const refused = expect.stringMatching(/^the address \S+ is not allowed$/)

  expect(await closed.refusalOf(new URL(url))).toEqual(refused)
  expect(await closed.send({ ...call, url })).toEqual({ status: null, failure: refused })
})

it('W6 two names are looked up at a time, so that slow ones leave threads for the stores of the process', async () => {
  const asked: string[] = []
  const answer: (() => void)[] = []
  const resolve: Resolve = (hostname) => {
    asked.push(hostname)
    return new Promise((found) => answer.push(() => found([{ address: '10.0.0.1', family: 4 }])))
  }
  const calls = createWebhookCalls({ clock, allowedNetworks: [], resolve })

  const refusals = ['a', 'b', 'c'].map((name) => calls.refusalOf(new URL(`http://${name}.example/`)))
  await vi.waitUntil(() => asked.length === 2)
  answer[0]?.()
  await vi.waitUntil(() => asked.length === 3)
  for (const answerNow of answer) answerNow()

  expect(asked).toEqual(['a.example', 'b.example', 'c.example'])
  expect(await Promise.all(refusals)).toEqual(new Array(3).fill('the address 10.0.0.1 is not allowed'))
})

it('W10 a name that means an inner address at the second lookup is refused then', async () => {
  await using receiver = await startReceiver()
  const resolve = resolving('1.1.1.1', '127.0.0.1')
  const calls = createWebhookCalls({ clock, allowedNetworks: [], resolve })
  const url = `http://rebinding.example:${receiver.port}/`

  expect(await calls.refusalOf(new URL(url))).toBeNull()
  expect(await calls.send({ ...call, url })).toEqual({
    status: null,
    failure: 'the address 127.0.0.1 is not allowed',
  })
  expect(receiver.received).toEqual([])
})

it('W10 the connection goes to the address that was checked: nobody looks the name up again', async () => {
  await using receiver = await startReceiver()
  const resolve = resolving('127.0.0.1', '10.0.0.1')
  const calls = createWebhookCalls({ clock, allowedNetworks: local, resolve })

  const answer = await calls.send({ ...call, url: `http://once.example:${receiver.port}/` })

  expect(answer).toEqual({ status: 204, failure: null })
  expect(resolve.asked).toEqual(['once.example'])
  expect(receiver.received[0]?.headers.host).toBe(`once.example:${receiver.port}`)
})

it('W10 a name with one inner address among others is refused', async () => {
  const resolve = async () => [
    { address: '1.1.1.1', family: 4 },
    { address: 'fd00::1', family: 6 },
  ]
  const calls = createWebhookCalls({ clock, allowedNetworks: local, resolve })

  expect(await calls.send({ ...call, url: 'http://two.example/' })).toEqual({
    status: null,
    failure: 'the address fd00::1 is not allowed',
  })
})

it('a name that is not known is no refusal, and a call that fails by its code', async () => {
  const resolve = () => Promise.reject(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }))
  const calls = createWebhookCalls({ clock, allowedNetworks: [], resolve })

  expect(await calls.refusalOf(new URL('http://new.example/'))).toBeNull()
  expect(await calls.send({ ...call, url: 'http://new.example/' })).toEqual({
    status: null,
    failure: 'no answer: ENOTFOUND',
  })
})
