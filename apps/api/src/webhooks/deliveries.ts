import { randomUUID } from 'node:crypto'
import { clip, type EventIds, formatInstant, HubError, withTexts } from '@muster/contract'
import type { WebhookCalls } from '@muster/runtime'
import {
  type Delivery,
  type DeliveryState,
  deliveryStates,
  listDeliveries,
  replayDead,
  replayDelivery,
  replayLimit,
} from '@muster/store'
import { z } from 'zod'
import { queryParameter } from '../http/address.ts'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { type Paging, pageHeaders, pageQuery } from '../http/paging.ts'
import { jsonReply } from '../http/reply.ts'
import { deliveryJson, deliverySchema } from './webhook-json.ts'
import { addressedWebhook } from './webhooks.ts'

type DeliveryDeps = Pick<Deps, 'db' | 'bus' | 'clock' | 'events'> & {
  readonly webhookCalls: WebhookCalls
  readonly eventIds: EventIds
}

/** Test calls that one process has under way. Each may hold its request for 10 s. */
const testsMax = 16

export function deliveryRoutes(deps: DeliveryDeps, paging: Paging): readonly Endpoint[] {
  const { db, clock, webhookCalls, eventIds } = deps
  let tests = 0

  return [
    {
      method: 'post',
      path: '/webhooks/{id}/test',
      operationId: 'testWebhook',
      summary: 'Send a webhook an event of the kind "test" now, and tell what came back',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: z.object({ eventId: z.string(), status: z.int().optional(), failure: z.string().optional() }),
      async handle(c) {
        const { url, secret } = await addressedWebhook(db, c)
        const eventId = `test-${randomUUID()}`
        const body = testEvent(eventId, c.get('account'), clock.now())
        if (tests >= testsMax) throw tooManyTests()
        tests += 1
        const { status, failure } = await webhookCalls.send({ url, secret, id: eventId, body }).finally(() => {
          tests -= 1
        })
        return jsonReply(200, {
          eventId,
          ...(status === null ? {} : { status }),
          ...(failure === null ? {} : { failure }),
        })
      },
    },
    {
      method: 'get',
      path: '/webhooks/{id}/deliveries',
      operationId: 'listDeliveries',
      summary: 'List the events of a webhook, latest first, and what became of each',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      query: { status: `Only those that are ${deliveryStates.join(', ')}`, ...pageQuery },
      words: { status: deliveryStates },
      headers: pageHeaders,
      reply: deliverySchema.array(),
      async handle(c) {
        const { key } = await addressedWebhook(db, c)
        const state = readState(c)
        const query = `deliveries ${key} ${state}`
        const write = (delivery: Delivery) => deliveryJson(delivery, eventIds)
        const page = { ...paging.read(c, query), write }
        return paging.reply('WebhookDelivery', query, await listDeliveries(db, { key, state }, page))
      },
    },
    {
      method: 'post',
      path: '/webhooks/{id}/deliveries/{eventId}/replay',
      operationId: 'replayDelivery',
      summary: 'Send an event that was delivered or is dead once more',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: { path: { eventId: '0a1b2c3d-42' } },
      reply: null,
      async handle(c) {
        const { key, webhookId } = await addressedWebhook(db, c)
        const eventId = c.req.param('eventId') ?? ''
        const replay = await replayDelivery(db, key, eventIds.parse('eventId', eventId), clock.now())
        if (replay === 'missing') throw noDelivery(webhookId, eventId)
        if (replay === 'pending') throw isPending(eventId)
        await wake(deps, key)
        return new Response(null, { status: 204 })
      },
    },
    {
      method: 'post',
      path: '/webhooks/{id}/replay',
      operationId: 'replayDead',
      summary: `Send the dead events of a webhook once more, oldest first, ${replayLimit} at a time`,
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: z.object({ replayedCount: z.int() }),
      async handle(c) {
        const { key } = await addressedWebhook(db, c)
        const replayedCount = await replayDead(db, key, clock.now())
        if (replayedCount > 0) await wake(deps, key)
        return jsonReply(200, { replayedCount })
      },
    },
  ]
}

/** Like an event of a job that nobody has. */
function testEvent(eventId: string, actor: string, now: Date): string {
  return withTexts({ eventId, jobId: 'test', kind: 'test', time: formatInstant(now), actor, clientAddress: null })
}

async function wake({ bus, clock, events }: DeliveryDeps, key: Parameters<DeliveryDeps['bus']['wakeWebhook']>[0]) {
  if (!(await bus.wakeWebhook(key, clock.now()))) events.wakeUpLost({ kind: 'webhook' })
}

function readState(c: ApiContext): DeliveryState | null {
  const text = queryParameter(c, 'status')
  if (!text) return null
  const state = deliveryStates.find((one) => one === text)
  if (state !== undefined) return state
  throw new HubError('ArgumentInvalid', {
    message: `status must be one of ${deliveryStates.join(', ')}, got "${clip(text)}"`,
  })
}

function tooManyTests(): HubError {
  return new HubError('ThrottlingException', {
    message: `${testsMax} test calls are under way already; try again when one has ended`,
    retryAfterMs: 1_000,
  })
}

function noDelivery(webhookId: string, eventId: string): HubError {
  return new HubError('GenericNotFound', {
    message: `The webhook ${webhookId} has no delivery of the event ${eventId}; delivered ones are kept for 7 days`,
  })
}

function isPending(eventId: string): HubError {
  return new HubError('OperationNotAllowedInCurrentState', {
    message: `The event ${eventId} is pending: it is sent at its nextAttemptTime without a replay`,
  })
}
