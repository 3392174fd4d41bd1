import { eventually, type Receiver, startOwnRedis, startReceiver } from '@muster/testkit'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { putJob } from '../jobs.ts'
import { startProcess } from '../role-process.ts'

const settings = { MUSTER_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' }
const later = { startTime: new Date(Date.now() + 86_400_000).toISOString() }
const twinJob = { type: 'scheduleUpdateTwin', queryCondition: '*', updateTwin: { etag: '*', tags: { a: 1 } }, ...later }

async function givenWebhook(hub: TestHub, { url }: Receiver): Promise<void> {
  const response = await hub.request('PUT', '/webhooks/w', { url, secret: 'sixteen-bytes-at-least' })
  if (response.status !== 200) throw new Error(await response.text())
}

const idsOf = ({ received }: Receiver) => received.map(({ headers }) => headers['webhook-id'])

it('W4 an event whose dispatcher is killed between the call and its record comes again under the same id', async () => {
  await using hub = await startHub({ roles: roles.filter(({ name }) => name === 'api'), settings })
  await using first = await startProcess(hub, ['dispatcher'])
  await using receiver = await startReceiver((response) => {
    // The first call is taken, and the dispatcher does not hear of it.
    if (receiver.received.length === 1) first.signal('SIGKILL')
    else response.writeHead(204).end()
  })
  await givenWebhook(hub, receiver)

  await putJob(hub, 'told', twinJob)
  await first.ended
  await using _ = await startProcess(hub, ['dispatcher'])
  await eventually(() => expect(receiver.received).toHaveLength(2), { timeoutMs: 60_000 })

  expect(new Set(idsOf(receiver)).size).toBe(1)
  await eventually(async () => {
    const listed = await hub.request('GET', '/webhooks/w/deliveries')
    expect(await listed.json()).toMatchObject([{ kind: 'created', status: 'delivered', attempts: 2 }])
  })
}, 120_000)

it('W9 an event whose wake-up Redis forgets is sent at its time all the same', async () => {
  await using redis = await startOwnRedis()
  await using hub = await startHub({
    roles: roles.filter(({ name }) => name === 'api' || name === 'dispatcher'),
    settings: { ...settings, REDIS_URL: redis.url },
  })
  const client = new Redis(redis.url)
  await using receiver = await startReceiver((response) => {
    response.writeHead(receiver.received.length === 1 ? 503 : 204).end()
  })
  await givenWebhook(hub, receiver)

  await putJob(hub, 'told', twinJob)
  await eventually(async () => {
    const listed = await hub.request('GET', '/webhooks/w/deliveries?status=pending')
    expect(await listed.json()).toMatchObject([{ attempts: 1, failure: 'status 503' }])
  })
  await client.flushall()
  client.disconnect()

  await eventually(() => expect(receiver.received).toHaveLength(2), { timeoutMs: 20_000 })
  expect(new Set(idsOf(receiver)).size).toBe(1)
})
