import { createHmac } from 'node:crypto'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob } from '../jobs.ts'
import { startExampleReceiver } from './example-receiver.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub({ settings: { MUSTER_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' } })
})
afterAll(() => hub[Symbol.asyncDispose]())

const secret = 'whsec_c2l4dGVlbi1ieXRlcy1hdC1sZWFzdA=='
const twinJob = { type: 'scheduleUpdateTwin', queryCondition: '*', updateTwin: { etag: '*', tags: { a: 1 } } }

/** A call that is signed as the hub would. */
async function post(url: string, id: string, body: string, { secondsAgo = 0, signed = body } = {}): Promise<number> {
  const timestamp = String(Math.floor(Date.now() / 1000) - secondsAgo)
  const key = Buffer.from('sixteen-bytes-at-least')
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${signed}`).digest('base64')
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
  return (await fetch(url, { method: 'POST', headers, body })).status
}

it('W16 the receiver of the examples takes the events of a job in their order, each once', async () => {
  await using receiver = await startExampleReceiver(secret)
  const put = await hub.request('PUT', '/webhooks/example', {
    url: receiver.url,
    secret,
    jobFilter: { jobIdPrefix: 'told' },
  })
  const tested = await hub.request('POST', '/webhooks/example/test')

  await putJob(hub, 'told', twinJob)
  await putJob(hub, 'other', twinJob)
  await ending(hub, 'told')
  await eventually(() => expect(receiver.lines()).toHaveLength(5), { timeoutMs: 20_000 })

  expect([put.status, tested.status]).toEqual([200, 200])
  const [, test, ...events] = receiver.lines().map((line) => line.replace(/^event: /, ''))
  expect(JSON.parse(test ?? '')).toMatchObject({ kind: 'test', jobId: 'test' })
  const common = { jobId: 'told', type: 'scheduleUpdateTwin' }
  expect(events.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ ...common, kind: 'created', actor: 'policy:iothubowner' }),
    expect.objectContaining({ ...common, kind: 'started', actor: null, deviceCount: 0 }),
    expect.objectContaining({ ...common, kind: 'ended', status: 'completed', actor: null, deviceCount: 0 }),
  ])
})

it('W16 the receiver of the examples refuses what was changed, is old, or is signed by somebody else', async () => {
  await using receiver = await startExampleReceiver(secret)
  await using foreign = await startExampleReceiver('another-secret-of-mine')
  const body = JSON.stringify({ eventId: '1', kind: 'ended' })

  const statuses = [
    await post(receiver.url, '1', body.replace('ended', 'started'), { signed: body }),
    await post(receiver.url, '1', body, { secondsAgo: 400 }),
    await post(receiver.url, '1', body, { secondsAgo: -400 }),
    await post(foreign.url, '1', body),
    (await fetch(receiver.url, { method: 'POST', body })).status,
    await post(receiver.url, '1', body),
    await post(receiver.url, '1', body),
  ]

  expect(statuses).toEqual([401, 401, 401, 401, 400, 204, 200])
  expect(receiver.lines().slice(1)).toEqual([
    'refused: the signature does not fit',
    'refused: the timestamp is more than five minutes away',
    'refused: the timestamp is more than five minutes away',
    'refused: webhook-id, webhook-timestamp or webhook-signature is missing',
    `event: ${body}`,
    'again: 1',
  ])
})
