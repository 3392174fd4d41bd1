import { claimDelivery, readWebhook, recordDelivered, recordFailedTry } from '@muster/store'
import { eventually, startReceiver } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Api, noon, openApi } from '../api.ts'

let api: Api

beforeAll(async () => {
  api = await openApi({ allowedNetworks: ['127.0.0.0/8'] })
})
afterAll(() => api[Symbol.asyncDispose]())

const secret = 'sixteen-bytes-at-least'
const day = 24 * 3_600_000

async function givenWebhook(id: string, url: string) {
  await api.send('PUT', `/webhooks/${id}`, { url, secret, jobFilter: { jobIdPrefix: id } })
  const webhook = await readWebhook(api.db, id)
  if (webhook === null) throw new Error(`the webhook ${id} was not put`)
  return webhook
}

function createJob(jobId: string) {
  const cloudToDeviceMethod = { methodName: 'ping', payload: null, responseTimeoutInSeconds: 30 }
  return api.send('PUT', `/jobs/v2/${jobId}`, {
    type: 'scheduleDeviceMethod',
    queryCondition: '*',
    cloudToDeviceMethod,
  })
}

async function claimed(key: Parameters<typeof claimDelivery>[1]) {
  const claim = await claimDelivery(api.db, key, noon)
  if (claim === null) throw new Error('there was no delivery to claim')
  return claim
}

it('W14 a test call is sent at once, and the answer tells what came back', async () => {
  await using receiver = await startReceiver((response) => response.writeHead(202).end('thank you'))
  await givenWebhook('well', receiver.url)

  const { status, body, text } = await api.send('POST', '/webhooks/well/test')

  expect([status, body]).toEqual([200, { eventId: expect.stringMatching(/^test-/), status: 202 }])
  expect(text).not.toContain('thank you')
  const [call] = receiver.received
  expect(call?.headers).toMatchObject({
    'webhook-id': body.eventId,
    'webhook-signature': expect.stringMatching(/^v1,/),
  })
  expect(JSON.parse(call?.body ?? '')).toEqual({
    eventId: body.eventId,
    jobId: 'test',
    kind: 'test',
    time: noon.toISOString(),
    actor: 'policy:iothubowner',
    clientAddress: null,
  })
})

it('W14 a test call that fails says why', async () => {
  const receiver = await startReceiver()
  await givenWebhook('away', receiver.url)
  await receiver[Symbol.asyncDispose]()

  expect((await api.send('POST', '/webhooks/away/test')).body).toEqual({
    eventId: expect.stringMatching(/^test-/),
    failure: 'no answer: ECONNREFUSED',
  })
})

it('W14 a process has 16 test calls under way at most, and refuses more until one has ended', async () => {
  const held: (() => void)[] = []
  await using receiver = await startReceiver((response) => held.push(() => response.writeHead(204).end()))
  await givenWebhook('busy', receiver.url)
  const test = () => api.send('POST', '/webhooks/busy/test')

  const calls = Array.from({ length: 16 }, test)
  await eventually(() => expect(held).toHaveLength(16))
  const refused = await test()
  for (const answer of held) answer()
  const answered = await Promise.all(calls)

  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
  expect(answered.filter(({ body }) => body.status === 204)).toHaveLength(16)
  const last = test()
  await eventually(() => expect(held).toHaveLength(17))
  held.at(-1)?.()
  expect((await last).body.status).toBe(204)
})

it('deliveries are listed latest first, with what became of each, and by their status', async () => {
  const { key } = await givenWebhook('listed', 'http://127.0.0.1:9/')
  for (const no of [1, 2, 3]) await createJob(`listed-${no}`)
  await recordDelivered(api.db, await claimed(key), noon)
  await recordFailedTry(api.db, await claimed(key), 'status 500', new Date(noon.getTime() + 2 * day))

  const { body, headers } = await api.send('GET', '/webhooks/listed/deliveries')
  const dead = await api.send('GET', '/webhooks/listed/deliveries?status=dead')
  const bad = await api.send('GET', '/webhooks/listed/deliveries?status=lost')

  const event = { kind: 'created', time: noon.toISOString(), eventId: expect.stringMatching(/^[0-9a-f]{8}-\d+$/) }
  const endTime = noon.toISOString()
  expect(body).toEqual([
    { ...event, jobId: 'listed-3', status: 'pending', attempts: 0, nextAttemptTime: noon.toISOString() },
    {
      ...event,
      jobId: 'listed-2',
      status: 'dead',
      attempts: 1,
      endTime: '2026-03-04T12:00:00.000Z',
      failure: 'status 500',
    },
    { ...event, jobId: 'listed-1', status: 'delivered', attempts: 1, endTime },
  ])
  expect(headers.get('x-ms-item-type')).toBe('WebhookDelivery')
  expect(dead.body).toEqual([body[1]])
  expect([bad.status, bad.body.Message]).toEqual([
    400,
    'ErrorCode:ArgumentInvalid;status must be one of pending, delivered, dead, got "lost"',
  ])
})

it('W7 a dead event is replayed by its id or with all others, and one that is pending is refused', async () => {
  const { key } = await givenWebhook('again', 'http://127.0.0.1:9/')
  for (const no of [1, 2, 3]) await createJob(`again-${no}`)
  for (let times = 0; times < 2; times += 1) {
    await recordFailedTry(api.db, await claimed(key), 'status 500', new Date(noon.getTime() + 2 * day))
  }
  const { body } = await api.send('GET', '/webhooks/again/deliveries')
  const [pending, dead] = body
  const replay = (eventId: string) => api.send('POST', `/webhooks/again/deliveries/${eventId}/replay`)

  const one = await replay(dead.eventId)
  const all = await api.send('POST', '/webhooks/again/replay')
  const none = await api.send('POST', '/webhooks/again/replay')
  const refused = await replay(pending.eventId)

  expect(one.status).toBe(204)
  expect(all).toMatchObject({ status: 200, body: { replayedCount: 1 } })
  expect(none.body).toEqual({ replayedCount: 0 })
  expect([refused.status, refused.headers.get('iothub-errorcode')]).toEqual([405, 'OperationNotAllowedInCurrentState'])
  expect((await replay(dead.eventId.replace(/\d+$/, '999999'))).status).toBe(404)
  expect((await replay('x')).status).toBe(400)
  expect((await api.send('GET', '/webhooks/again/deliveries?status=pending')).body).toHaveLength(3)
})
