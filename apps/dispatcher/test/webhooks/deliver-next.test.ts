import { listDeliveries, replayDead } from '@muster/store'
import { startReceiver } from '@muster/testkit'
import { expect, it } from 'vitest'
import { deliverNext } from '../../src/webhooks/deliver-next.ts'
import { givenTwoEvents, givenWebhook, noon, openHub, secret, type TestHub, toldTo } from './hub.ts'

type Key = Parameters<typeof deliverNext>[1]

/** Sends what is due now. Returns how many tries that took. */
async function deliverDue(hub: TestHub, key: Key): Promise<number> {
  let tries = 0
  while (await deliverNext(hub, key)) tries += 1
  return tries
}

async function statesOf({ db }: TestHub, key: Key): Promise<readonly string[]> {
  const write = ({ jobId, kind, state, attempts }: { jobId: string; kind: string; state: string; attempts: number }) =>
    `${jobId} ${kind} ${state} ${attempts}`
  return (await listDeliveries(db, { key, state: null }, { limit: 100, after: null, write })).items.toReversed()
}

const hourMs = 3_600_000

it('W15 a receiver gets the event of a job with who did what, and when', async () => {
  const hub = await openHub()
  await using receiver = await startReceiver()
  const { key } = await givenWebhook(hub, receiver.url)
  await givenTwoEvents(hub, 'told')

  await deliverDue(hub, key)

  const common = {
    jobId: 'told',
    type: 'scheduleUpdateTwin',
    time: noon.toISOString(),
    actor: 'policy:ops',
    clientAddress: '10.0.0.7',
  }
  expect(receiver.received.map(({ body }) => JSON.parse(body))).toEqual([
    { ...common, eventId: receiver.received[0]?.headers['webhook-id'], kind: 'created' },
    { ...common, eventId: receiver.received[1]?.headers['webhook-id'], kind: 'cancelled', status: 'cancelled' },
  ])
})

it('W3 the second event of a job comes after the first, which fails at first, and other jobs do not wait', async () => {
  const hub = await openHub()
  let failures = 2
  await using receiver = await startReceiver((response, { body }) => {
    const fails = JSON.parse(body).jobId === 'slow' && failures > 0
    if (fails) failures -= 1
    response.writeHead(fails ? 503 : 204).end()
  })
  const { key } = await givenWebhook(hub, receiver.url)
  await givenTwoEvents(hub, 'slow')
  await givenTwoEvents(hub, 'fast')

  await deliverDue(hub, key)
  for (const afterMs of [5_000, 20_000]) {
    hub.clock.time = new Date(noon.getTime() + afterMs)
    await deliverDue(hub, key)
  }

  expect(toldTo(receiver)).toEqual([
    'slow created',
    'fast created',
    'fast cancelled',
    'slow created',
    'slow created',
    'slow cancelled',
  ])
})

it('W7 a receiver that fails for a day gets each event again and again, then it is dead, and a replay sends it', async () => {
  const hub = await openHub()
  let isWell = false
  await using receiver = await startReceiver((response) => response.writeHead(isWell ? 200 : 500).end())
  const { key } = await givenWebhook(hub, receiver.url)
  await givenTwoEvents(hub, 'lost')

  for (let hours = 0; hours < 25; hours += 1) {
    hub.clock.time = new Date(noon.getTime() + hours * hourMs)
    await deliverDue(hub, key)
  }
  const dead = await statesOf(hub, key)
  isWell = true
  const replayed = await replayDead(hub.db, key, hub.clock.now())
  await deliverDue(hub, key)

  // Each hour once, and the second event when the first is dead: its own day is over, too.
  expect(dead).toEqual(['lost created dead 25', 'lost cancelled dead 1'])
  expect(replayed).toBe(2)
  expect(await statesOf(hub, key)).toEqual(['lost created delivered 26', 'lost cancelled delivered 2'])
  expect(toldTo(receiver).slice(-2)).toEqual(['lost created', 'lost cancelled'])
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(2)
})

it('W4 an event whose dispatcher died after the call is sent again under the same id when the claim has ended', async () => {
  const hub = await openHub()
  await using receiver = await startReceiver()
  const { key } = await givenWebhook(hub, receiver.url)
  await givenTwoEvents(hub, 'told')
  const dying: TestHub = {
    ...hub,
    // The call is made, and what comes back is never recorded.
    webhookCalls: {
      ...hub.webhookCalls,
      async send(call) {
        await hub.webhookCalls.send(call)
        throw new Error('the process is gone')
      },
    },
  }

  await expect(deliverNext(dying, key)).rejects.toThrow('the process is gone')
  const early = await deliverDue(hub, key)
  hub.clock.time = new Date(noon.getTime() + 20_000)
  await deliverDue(hub, key)

  expect(early).toBe(0)
  expect(toldTo(receiver)).toEqual(['told created', 'told created', 'told cancelled'])
  const [first, second, third] = receiver.received.map(({ headers }) => headers['webhook-id'])
  expect(second).toBe(first)
  expect(third).not.toBe(first)
})

it('W10 a name that means an inner address when an event is sent gets nothing, and the log says why', async () => {
  const hub = await openHub({ resolve: async () => [{ address: '10.0.0.1', family: 4 }] })
  const { key } = await givenWebhook(hub, 'http://inner.example/')
  await givenTwoEvents(hub, 'told')

  expect(await deliverDue(hub, key)).toBe(1)

  expect(hub.log()).toContain('"failure":"the address 10.0.0.1 is not allowed"')
})

it('W11 no line of the log has the secret, the body, or more of the address than its host', async () => {
  const hub = await openHub()
  await using receiver = await startReceiver((response) => response.writeHead(500).end('what the receiver says'))
  const { key } = await givenWebhook(hub, `${receiver.url}/private-path?token=private-query`)
  await givenTwoEvents(hub, 'told')

  await deliverDue(hub, key)
  hub.clock.time = new Date(noon.getTime() + 24 * hourMs)
  await deliverDue(hub, key)

  const log = hub.log()
  expect(log).toContain('"event":"webhookFailed"')
  expect(log).toContain('"event":"webhookDead"')
  expect(log).toContain(`"host":"127.0.0.1:${receiver.port}"`)
  for (const hidden of [secret, 'private', 'what the receiver says', 'policy:ops']) expect(log).not.toContain(hidden)
})

it('while the time of the hub is not known nothing is sent', async () => {
  const hub = await openHub()
  await using receiver = await startReceiver()
  const { key } = await givenWebhook(hub, receiver.url)
  await givenTwoEvents(hub, 'told')

  const sent = await deliverNext({ ...hub, clock: { ...hub.clock, isTrusted: () => false } }, key)

  expect(sent).toBe(false)
  expect(receiver.received).toEqual([])
})
