import type { WebhookKey } from '@muster/contract'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { cancelJob } from '../../src/jobs/jobs.ts'
import { readWebhookFigures } from '../../src/metrics/webhook-figures.ts'
import type { Db } from '../../src/postgres/sql.ts'
import { type ClaimedDelivery, claimDelivery, leaseMs } from '../../src/webhooks/claim-delivery.ts'
import { listDeliveries, replayDead, replayDelivery } from '../../src/webhooks/deliveries.ts'
import { recordDelivered, recordFailedTry } from '../../src/webhooks/record-delivery.ts'
import { givenJob, noon, openStore } from '../jobs/engine.ts'
import { claimed, deliveriesIn, givenWebhook, noWebhook } from './given.ts'

let db: Db
let key: WebhookKey

beforeEach(async () => {
  const own = await openStore()
  onTestFinished(() => own[Symbol.asyncDispose]())
  db = own.db
  key = (await givenWebhook(db, 'a')).key
})

const after = (seconds: number) => new Date(noon.getTime() + seconds * 1_000)
const day = 24 * 3_600

/** A job that was created and cancelled: two events. */
async function givenTwoEvents(jobId: string): Promise<void> {
  await cancelJob(db, (await givenJob(db, { jobId })).jobId, noon)
}

const told = ({ event, attempts }: ClaimedDelivery) => `${event.jobId} ${event.kind} ${attempts}`

it('W3 an event is claimed when the one before it of the same job is delivered, and other jobs do not wait', async () => {
  await givenTwoEvents('one')
  await givenTwoEvents('two')

  const created = await claimed(db, key)
  const other = await claimed(db, key)
  const none = await claimDelivery(db, key, noon)
  await recordDelivered(db, created, noon)
  const cancelled = await claimed(db, key)

  expect([created, other, cancelled].map(told)).toEqual(['one created 1', 'two created 1', 'one cancelled 1'])
  expect(none).toBeNull()
  expect(await claimDelivery(db, noWebhook, noon)).toBeNull()
})

it('W3 what waits behind a failed event is due with it, and not before', async () => {
  await givenTwoEvents('one')
  const first = await claimed(db, key)

  const next = await recordFailedTry(db, first, 'status 500', noon)
  const early = await claimDelivery(db, key, after(2))
  const again = await claimed(db, key, after(5))

  expect(next).toEqual({ kind: 'again', at: expect.toSatisfy((at: Date) => at >= after(2.5) && at <= after(5)) })
  expect(early).toBeNull()
  expect(told(again)).toBe('one created 2')
})

it('W4 a claim whose process died ends with its lease, and what it has to say later counts no more', async () => {
  await givenTwoEvents('one')
  const dead = await claimed(db, key)

  expect(await claimDelivery(db, key, after(leaseMs / 1_000 - 1))).toBeNull()
  const taken = await claimed(db, key, after(leaseMs / 1_000))

  expect(taken.event.no).toBe(dead.event.no)
  expect(await recordDelivered(db, dead, noon)).toBe(false)
  expect(await recordFailedTry(db, dead, 'status 500', noon)).toEqual({ kind: 'lost' })
  expect(await recordDelivered(db, taken, noon)).toBe(true)
})

it('W7 waits double from 5 s to an hour, with up to half of each left out at random', async () => {
  await givenTwoEvents('one')
  const waits: number[] = []
  let now = noon
  for (let tries = 0; tries < 14; tries += 1) {
    const next = await recordFailedTry(db, await claimed(db, key, now), 'status 500', now)
    if (next.kind !== 'again') throw new Error(`the delivery is ${next.kind}`)
    waits.push((next.at.getTime() - now.getTime()) / 1_000)
    // Postgres counts in microseconds.
    now = new Date(next.at.getTime() + 1)
  }

  const longest = waits.map((_, failures) => Math.min(3600, 5 * 2 ** failures))
  expect(waits.filter((wait, no) => wait > (longest[no] ?? 0) || wait < (longest[no] ?? 0) / 2)).toEqual([])
})

it('W7 an event whose try fails after 24 hours is dead, and the next one of its job has its turn', async () => {
  await givenTwoEvents('one')
  const last = await claimed(db, key, after(day - 1))
  const shortBefore = await recordFailedTry(db, last, 'status 500', after(day - 1))
  const tooLate = await recordFailedTry(db, await claimed(db, key, after(day)), 'status 503', after(day))

  expect(shortBefore).toEqual({ kind: 'again', at: after(day) })
  expect(tooLate).toEqual({ kind: 'dead' })
  expect(await deliveriesIn(db)).toEqual(['a one created dead', 'a one cancelled pending'])
  expect(told(await claimed(db, key, after(day)))).toBe('one cancelled 1')
})

it('W7 a dead event that is replayed is tried for another day, from 5 s on', async () => {
  await givenTwoEvents('one')
  await recordFailedTry(db, await claimed(db, key, after(day)), 'status 500', after(day))
  await recordDelivered(db, await claimed(db, key, after(day)), after(day))
  const later = after(3 * day)

  expect(await replayDead(db, key, later)).toBe(1)
  const again = await claimed(db, key, later)
  const next = await recordFailedTry(db, again, 'status 500', later)

  expect(told(again)).toBe('one created 2')
  expect(next).toEqual({ kind: 'again', at: expect.toSatisfy((at: Date) => at <= after(3 * day + 5)) })
  expect(await replayDead(db, key, later)).toBe(0)
})

it('W7 a delivered event can be replayed by its id, one that is pending not, and an unknown one is missing', async () => {
  await givenTwoEvents('one')
  const first = await claimed(db, key)
  const { no } = first.event

  expect(await replayDelivery(db, key, no, noon)).toBe('pending')
  await recordDelivered(db, first, noon)
  expect(await replayDelivery(db, key, no, noon)).toBe('replayed')
  expect(await replayDelivery(db, noWebhook, no, noon)).toBe('missing')

  expect(told(await claimed(db, key))).toBe('one created 2')
})

it('deliveries are listed latest first, in pages, and by their state', async () => {
  await givenTwoEvents('one')
  await givenTwoEvents('two')
  await recordDelivered(db, await claimed(db, key), noon)
  await recordFailedTry(db, await claimed(db, key), 'status 500', after(2 * day))
  const list = (state: 'pending' | 'dead' | null, from: string | null) =>
    listDeliveries(
      db,
      { key, state },
      { limit: 3, after: from, write: (one) => `${one.jobId} ${one.kind} ${one.state} ${one.attempts} ${one.failure}` },
    )

  const first = await list(null, null)
  const second = await list(null, first.continuation)

  expect([first.items, second.items]).toEqual([
    ['two cancelled pending 0 null', 'two created pending 0 null', 'one cancelled dead 1 status 500'],
    ['one created delivered 1 null'],
  ])
  expect((await list('dead', null)).items).toEqual(['one cancelled dead 1 status 500'])
  expect((await list('pending', null)).items).toHaveLength(2)
})

it('the figures count what waits and what is dead, and tell how long the oldest event has waited', async () => {
  await givenTwoEvents('one')
  await givenTwoEvents('two')
  await recordFailedTry(db, await claimed(db, key), 'status 500', after(2 * day))
  await recordDelivered(db, await claimed(db, key), noon)

  expect(await readWebhookFigures(db, after(60))).toEqual({ pending: 2, dead: 1, oldestPendingSeconds: 60 })
})

it('W8 claims at the same time never take the same event, nor two of one job, ten times over', async () => {
  for (let no = 0; no < 10; no += 1) {
    for (const job of ['x', 'y', 'z']) await givenTwoEvents(`${job}-${no}`)

    for (const kind of ['created', 'cancelled']) {
      const claims = await Promise.all(Array.from({ length: 8 }, () => claimDelivery(db, key, noon)))
      const taken = claims.filter((claim) => claim !== null)

      // A claim that meets others may find nothing; a sweep comes again.
      expect(new Set(taken.map(({ event }) => event.jobId)).size).toBe(taken.length)
      while (taken.length < 3) taken.push(await claimed(db, key))
      expect(taken.map(told).sort()).toEqual(['x', 'y', 'z'].map((job) => `${job}-${no} ${kind} 1`))
      for (const claim of taken) await recordDelivered(db, claim, noon)
    }
  }
})
