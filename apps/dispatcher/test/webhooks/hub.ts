import { type Bus, connectBus } from '@muster/bus'
import { createEventIds, parseJobId } from '@muster/contract'
import {
  createWebhookCalls,
  type Events,
  type Metrics,
  openEvents,
  openLog,
  openMetrics,
  type Resolve,
} from '@muster/runtime'
import { cancelJob, connect, type Db, insertJob, migrate, putWebhook, readHubId, type Webhook } from '@muster/store'
import { createDatabase, type Received, templateDatabase, uniquePrefix } from '@muster/testkit'
import { inject, onTestFinished } from 'vitest'
import type { WebhookHub } from '../../src/webhooks/deliver-next.ts'

/** What a dispatcher needs to send events, with a clock that a test sets. */
export interface TestHub extends WebhookHub {
  readonly db: Db
  readonly bus: Bus
  readonly events: Events
  readonly metrics: Metrics
  readonly clock: { time: Date; now(): Date; isTrusted(): boolean }
  /** Its log so far. */
  log(): string
}

export const noon = new Date('2026-03-02T12:00:00Z')
export const secret = 'sixteen-bytes-at-least'

/** Over a database and a Redis prefix of its own, or those of another hub. */
export async function openHub({
  resolve,
  beside,
  timeoutMs = 10_000,
}: {
  resolve?: Resolve
  beside?: TestHub
  /** Of a call. */
  timeoutMs?: number
} = {}): Promise<TestHub> {
  const db = beside?.db ?? (await openDatabase())
  const bus = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })
  onTestFinished(() => bus[Symbol.asyncDispose]())
  const metrics = openMetrics('1.2.3')
  const lines: string[] = []
  const events = openEvents({ log: openLog('debug', { write: (line) => lines.push(line) }), metrics })
  const clock = { time: noon, now: () => clock.time, isTrusted: () => true }
  const calls = { clock, allowedNetworks: ['127.0.0.0/8'], timeoutMs }
  const webhookCalls = createWebhookCalls(resolve === undefined ? calls : { ...calls, resolve })
  const eventIds = createEventIds(await readHubId(db))
  return { db, bus, events, metrics, clock, webhookCalls, eventIds, log: () => lines.join('') }
}

async function openDatabase(): Promise<Db> {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  const database = await createDatabase(inject('databaseUrl'), { template })
  onTestFinished(() => database[Symbol.asyncDispose]())
  const connection = connect({ url: database.url, poolSize: 12 })
  onTestFinished(() => connection.close())
  return connection.db
}

export async function givenWebhook({ db }: TestHub, url: string, webhookId = 'w'): Promise<Webhook> {
  const draft = { webhookId, url, secret, kinds: null, jobIdPrefix: null, jobType: null }
  const put = await putWebhook(db, draft, noon)
  if (put.kind !== 'put') throw new Error(`the webhook ${webhookId} was not put: ${put.kind}`)
  return put.webhook
}

const asker = { actor: 'policy:ops', clientAddress: '10.0.0.7' }

/** A job that was created and then cancelled: two events. */
export async function givenTwoEvents({ db, clock }: TestHub, jobId: string): Promise<void> {
  const request = {
    jobId: parseJobId(jobId),
    type: 'scheduleUpdateTwin',
    target: { kind: 'devices', deviceIds: [] },
    body: {},
    startTime: null,
    maxExecutionTimeInSeconds: 3600,
    queryCondition: '*',
    asker,
  } as const
  await insertJob(db, request, clock.now())
  await cancelJob(db, jobId, clock.now(), asker)
}

/** `<job> <kind>` of each event, in the order in which they came. */
export function toldTo({ received }: { readonly received: readonly Received[] }): readonly string[] {
  return received.map(({ body }) => {
    const { jobId, kind } = JSON.parse(body)
    return `${jobId} ${kind}`
  })
}
