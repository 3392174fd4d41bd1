import { EventEmitter, once } from 'node:events'
import { type JobEvent, jobKey } from '@muster/contract'
import { cancelJob, type Db, readEventPosition } from '@muster/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEventFollower, type EventFollower } from '../../src/events/event-follower.ts'
import { type Order, settle } from '../../src/events/settle.ts'
import { type Api, noon, openApi } from '../api.ts'
import { listenTo, putJob } from './listen-to.ts'

let api: Api
beforeEach(async () => {
  api = await openApi()
  for (const jobId of ['a', 'b', 'c']) await putJob(api, jobId)
})
afterEach(() => api[Symbol.asyncDispose]())

describe('E5 events of jobs whose transactions end in another order', () => {
  it('are told by their numbers: none before the one below it is there', async () => {
    const follower = await following()
    const first = await cancelling('a')
    await cancelJob(api.db, 'b', noon)

    const meanwhile = await follower.read()
    await first.commit()
    const after = await follower.read()

    expect(meanwhile).toEqual([])
    expect(after.map(({ jobId }) => jobId)).toEqual(['a', 'b'])
  })

  it('are told without the one whose transaction was undone', async () => {
    const follower = await following()
    const first = await cancelling('a')
    await cancelJob(api.db, 'b', noon)

    const meanwhile = await follower.read()
    await first.undo()
    const after = [...(await follower.read()), ...(await follower.read())]

    expect(meanwhile).toEqual([])
    expect(after.map(({ jobId }) => jobId)).toEqual(['b'])
  })

  it('wait no longer for a transaction that has begun after them', async () => {
    const follower = await following()
    const undone = await cancelling('a')
    await undone.undo()
    await cancelJob(api.db, 'b', noon)
    const seen = [...(await follower.read())]
    const later = await cancelling('c')

    seen.push(...(await follower.read()))

    expect(seen.map(({ jobId }) => jobId)).toEqual(['b'])
    await later.undo()
  })

  it('are told by their numbers also if the one that commits first has written first, and has drawn the higher number', async () => {
    const follower = await following()
    const second = await writing('b')
    const first = await cancelling('a')
    await second.cancel()

    const meanwhile = [await follower.read(), await follower.read(), await follower.read()]
    await first.commit()
    const after = await follower.read()

    expect(meanwhile).toEqual([[], [], []])
    expect(after.map(({ jobId }) => jobId)).toEqual(['a', 'b'])
  })

  it('are all told to who begins to listen between a higher number and a lower one that was drawn by a later writer', async () => {
    const second = await writing('b')
    const first = await cancelling('a')
    await second.cancel()
    const follower = createEventFollower(api.db)

    for (let count = 0; count < 3; count += 1) await follower.read()
    const toldMeanwhile = follower.told()
    await first.commit()
    await follower.read()

    expect(toldMeanwhile).toBeNull()
    expect(follower.told()).toBe(5)
  })

  it('are both told to who begins to listen to a process that waits for the lower number', async () => {
    await using present = await listenTo(api, '/jobs/v2/events')
    await putJob(api, 'mark')
    await present.until('created')
    const first = await cancelling('a')
    await cancelJob(api.db, 'b', noon)

    await using stream = await listenTo(api, '/jobs/v2/events')
    await first.commit()
    const told = [...(await stream.until('cancelled')), ...(await stream.until('cancelled'))]

    expect(told.map(({ event, data }) => `${event} ${data.jobId}`)).toEqual([
      'opened undefined',
      'cancelled a',
      'cancelled b',
    ])
  })

  it('are waited for also below the only number that is there', async () => {
    await api.db.execute('delete from jobs')
    await putJob(api, 'd')
    await putJob(api, 'e')
    await api.db.execute(`delete from jobs where job_id = 'd'`)

    expect(await readEventPosition(api.db)).toMatchObject({ last: 5, hasGap: true })
  })

  it('are told in their order to who begins to listen while one is under way', async () => {
    const first = await cancelling('a')
    await cancelJob(api.db, 'b', noon)
    const follower = createEventFollower(api.db)

    await follower.read()
    const toldMeanwhile = follower.told()
    await first.commit()
    await follower.read()

    expect(toldMeanwhile).toBeNull()
    expect(follower.told()).toBe(5)
  })
})

describe('E5 a number that is missing', () => {
  const event = (no: number): JobEvent => ({
    no,
    jobKey: jobKey(1),
    jobId: 'j',
    type: 'scheduleUpdateTwin',
    kind: 'created',
    time: noon,
    actor: null,
    clientAddress: null,
    status: null,
    reason: null,
    stageNo: null,
    changes: null,
    deviceCount: null,
    statistics: null,
  })
  const reading = (numbers: readonly number[], allEndedBefore: bigint) => ({
    events: numbers.map(event),
    allEndedBefore,
  })
  /** A doubt that is new gets the bound. */
  const bounded = ({ told, doubt }: Order, noneFrom: bigint): Order => ({
    told,
    doubt: doubt === null ? null : { ...doubt, noneFrom: doubt.noneFrom ?? noneFrom },
  })
  const numbersOf = ({ ready }: ReturnType<typeof settle>) => ready.map(({ no }) => no)

  it('is waited for until the transactions before its first sight have ended, and each later gap anew', () => {
    const first = settle({ told: 1, doubt: null }, reading([2, 4, 6], 10n), 0)
    const same = settle(bounded(first.order, 20n), reading([4, 6, 9], 19n), 500)
    const next = settle(bounded(same.order, 30n), reading([4, 6, 9], 20n), 1_000)
    const last = settle(bounded(next.order, 40n), reading([9], 40n), 1_500)

    expect([first, same, next, last].map(numbersOf)).toEqual([[2], [], [4, 6], [9]])
    expect(last.order).toEqual({ told: 9, doubt: null })
  })

  it('is told in its place when it comes', () => {
    const first = settle({ told: 1, doubt: null }, reading([3], 10n), 0)
    const second = settle(bounded(first.order, 20n), reading([2, 3, 5], 12n), 500)
    const third = settle(bounded(second.order, 22n), reading([5], 20n), 1_000)
    const fourth = settle(bounded(third.order, 32n), reading([5], 22n), 1_500)

    expect([first, second, third, fourth].map(numbersOf)).toEqual([[], [2, 3], [], [5]])
  })

  it('is given up after a minute, because a transaction of another program may last for hours', () => {
    const first = settle({ told: 1, doubt: null }, reading([3], 10n), 0)

    const before = settle(bounded(first.order, 20n), reading([3], 10n), 59_999)
    const after = settle(bounded(first.order, 20n), reading([3], 10n), 60_000)

    expect([before, after].map(numbersOf)).toEqual([[], [3]])
  })
})

async function following(): Promise<EventFollower> {
  const follower = createEventFollower(api.db)
  await follower.read()
  return follower
}

/** A transaction that has cancelled a job, and waits to be ended. */
async function cancelling(jobId: string): Promise<{ commit(): Promise<unknown>; undo(): Promise<unknown> }> {
  const signals = new EventEmitter()
  const written = once(signals, 'written')
  const transaction = api.db.transaction(async (tx: Db) => {
    await cancelIn(tx, jobId)
    signals.emit('written')
    const [isGood] = await once(signals, 'end')
    if (isGood !== true) throw new Error('undone')
  })
  const ended = transaction.catch(() => {})
  await Promise.race([written, transaction])
  return {
    commit() {
      signals.emit('end', true)
      return transaction
    },
    undo() {
      signals.emit('end', false)
      return ended
    },
  }
}

/** A transaction that has written before it cancels the job, and so has a lower number than those that begin to write meanwhile. */
async function writing(jobId: string): Promise<{ cancel(): Promise<unknown> }> {
  const signals = new EventEmitter()
  const written = once(signals, 'written')
  const transaction = api.db.transaction(async (tx: Db) => {
    await tx.execute(`update jobs set job_id = job_id where job_id = '${jobId}'`)
    const cancelled = once(signals, 'cancel')
    signals.emit('written')
    await cancelled
    await cancelIn(tx, jobId)
  })
  await Promise.race([written, transaction])
  return {
    cancel() {
      signals.emit('cancel')
      return transaction
    },
  }
}

/** Without a savepoint, which would draw a higher number of a transaction. */
async function cancelIn(tx: Db, jobId: string): Promise<void> {
  await tx.execute(`
    with changed as (
      update jobs set status = 'cancelled', ended_at = now()
       where job_id = '${jobId}' and status = 'queued'
      returning job_key)
    insert into job_events (job_key, kind, at) select job_key, 'cancelled', now() from changed`)
}
