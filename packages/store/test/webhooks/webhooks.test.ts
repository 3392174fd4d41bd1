import { limits } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { expect, it, onTestFinished } from 'vitest'
import { cancelJob, completeJob } from '../../src/jobs/jobs.ts'
import { purgeHistory } from '../../src/jobs/sweeps/purge-history.ts'
import { rows } from '../../src/postgres/sql.ts'
import { findDueWebhooks } from '../../src/webhooks/find-due-webhooks.ts'
import { purgeDelivered, purgeUnowned } from '../../src/webhooks/purge-deliveries.ts'
import { recordDelivered } from '../../src/webhooks/record-delivery.ts'
import { deleteWebhook, listWebhooks, putWebhook, readWebhook } from '../../src/webhooks/webhooks.ts'
import { execute, givenJob, noon, on, openStore, start } from '../jobs/engine.ts'
import { claimed, deliveriesIn, draft, givenWebhook } from './given.ts'

async function openOwn() {
  const own = await openStore()
  onTestFinished(() => own[Symbol.asyncDispose]())
  return own.db
}

it('W1 each event of a job has a delivery for each webhook, also when a process that knows no webhooks writes it', async () => {
  const db = await openOwn()
  await givenWebhook(db, 'a')
  await givenWebhook(db, 'b')

  const job = await givenJob(db, { jobId: 'told' })
  await rows(
    db,
    sql`insert into job_events (job_key, kind, at) values (${job.key}, 'expired', ${noon.toISOString()}) returning event_no`,
  )

  expect(await deliveriesIn(db)).toEqual([
    'a told created pending',
    'b told created pending',
    'a told expired pending',
    'b told expired pending',
  ])
})

it('W1 a change that is undone has no delivery', async () => {
  const db = await openOwn()
  await givenWebhook(db, 'a')

  const undone = db.transaction(async (tx) => {
    await givenJob(tx, { jobId: 'undone' })
    throw new Error('undone')
  })

  await expect(undone).rejects.toThrow('undone')
  expect(await deliveriesIn(db)).toEqual([])
})

it('W2 a webhook gets the kinds, the jobs and the job types that it asks for', async () => {
  const db = await openOwn()
  await givenWebhook(db, 'ends', { kinds: ['ended', 'cancelled'] })
  await givenWebhook(db, 'nightly', { jobIdPrefix: 'nightly-' })
  await givenWebhook(db, 'twins', { jobType: 'scheduleUpdateTwin', kinds: ['started'] })

  const twins = await givenJob(db, { jobId: 'nightly-1', type: 'scheduleUpdateTwin', devices: ['device-0'] })
  await start(db, twins.key)
  await execute(db, twins.key)
  await completeJob(db, twins.key, noon)
  await cancelJob(db, (await givenJob(db, { jobId: 'daily-1' })).jobId, noon)

  expect(await deliveriesIn(db)).toEqual([
    'nightly nightly-1 created pending',
    'nightly nightly-1 started pending',
    'twins nightly-1 started pending',
    'ends nightly-1 completed pending',
    'nightly nightly-1 completed pending',
    'ends daily-1 cancelled pending',
  ])
})

it('a webhook that is put again keeps its secret unless it gets another, and its place in the bound', async () => {
  const db = await openOwn()
  const first = await givenWebhook(db, 'a')

  const again = await givenWebhook(db, 'a', { url: 'https://other.example/', secret: null })
  const other = await givenWebhook(db, 'a', { secret: 'another-secret-of-mine' })

  expect(again).toEqual({ ...first, url: 'https://other.example/' })
  expect(other.secret).toBe('another-secret-of-mine')
  expect(await putWebhook(db, draft('new', { secret: null }), noon)).toEqual({ kind: 'secretMissing' })
})

it('W12 a hub has a hundred webhooks at most, however many are put at once', async () => {
  const db = await openOwn()
  const ids = Array.from({ length: limits.webhooks + 10 }, (_, index) => `w${index}`)

  const puts = await Promise.all(ids.map((id) => putWebhook(db, draft(id), noon)))

  expect(puts.filter(({ kind }) => kind === 'full')).toHaveLength(10)
  const page = await listWebhooks(db, { limit: 1000, after: null, write: ({ webhookId }) => webhookId })
  expect(page.items).toHaveLength(limits.webhooks)
  const again = await putWebhook(db, draft(page.items[0] ?? ''), noon)
  expect(again.kind).toBe('put')
})

it('webhooks are listed in pages, in the order of their ids', async () => {
  const db = await openOwn()
  for (const id of ['c', 'a', 'b']) await givenWebhook(db, id)
  const write = ({ webhookId }: { webhookId: string }) => webhookId

  const first = await listWebhooks(db, { limit: 2, after: null, write })
  const second = await listWebhooks(db, { limit: 2, after: first.continuation, write })

  expect([first, second]).toEqual([
    { items: ['a', 'b'], continuation: 'b' },
    { items: ['c'], continuation: null },
  ])
})

it('W13 delivered events are kept for their time, others as long as their job, and none keeps a job', async () => {
  const db = await openOwn()
  const { key } = await givenWebhook(db, 'a')
  const job = await givenJob(db, { jobId: 'old' })
  await cancelJob(db, job.jobId, noon)
  await recordDelivered(db, await claimed(db, key), noon)

  expect(await purgeDelivered(db, { endedBefore: noon, limit: 10 })).toBe(0)
  expect(await purgeDelivered(db, { endedBefore: on('12:00:01'), limit: 10 })).toBe(1)
  expect(await deliveriesIn(db)).toEqual(['a old cancelled pending'])
  expect(await purgeHistory(db, { endedBefore: on('13:00:00'), limit: 10 })).toBe(1)
  expect(await deliveriesIn(db)).toEqual([])
})

it('W13 a webhook that is deleted gets nothing any more, and a new one of its id none of its events', async () => {
  const db = await openOwn()
  await givenWebhook(db, 'a')
  const kept = await givenWebhook(db, 'b')
  await givenJob(db, { jobId: 'told' })

  expect(await deleteWebhook(db, 'a')).toBe(true)
  expect(await deleteWebhook(db, 'a')).toBe(false)
  expect(await readWebhook(db, 'a')).toBeNull()
  await givenWebhook(db, 'a')

  expect(await findDueWebhooks(db, noon)).toEqual([kept.key])
  expect(await purgeUnowned(db, { limit: 10 })).toBe(1)
  expect(await rows(db, sql`select webhook_key::text from webhook_deliveries`)).toEqual([{ webhook_key: kept.key }])
})

it('W13 a webhook that is deleted while a job is changed does not undo the change', async () => {
  const db = await openOwn()
  await givenWebhook(db, 'a')

  await db.transaction(async (tx) => {
    await givenJob(tx, { jobId: 'told' })
    await deleteWebhook(db, 'a')
  })

  expect(await rows(db, sql`select job_id from jobs`)).toEqual([{ job_id: 'told' }])
  expect(await findDueWebhooks(db, noon)).toEqual([])
  expect(await purgeUnowned(db, { limit: 10 })).toBe(1)
})
