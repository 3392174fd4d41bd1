import { EventEmitter, once } from 'node:events'
import { type JobEvent, jobKey } from '@muster/contract'
import { cancelJob, type Db } from '@muster/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEventFollower, type EventFollower } from '../../src/events/event-follower.ts'
import { settle } from '../../src/events/settle.ts'
import { type Api, noon, openApi } from '../api.ts'
import { putJob } from './listen-to.ts'

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
    deviceCount: null,
    statistics: null,
  })
  const reading = (numbers: readonly number[], allEndedBefore: bigint, noneFrom: bigint) => ({
    events: numbers.map(event),
    allEndedBefore,
    noneFrom,
  })
  const numbersOf = ({ ready }: ReturnType<typeof settle>) => ready.map(({ no }) => no)

  it('is waited for until the transactions before its first sight have ended, and each later gap anew', () => {
    const first = settle({ told: 1, doubt: null }, reading([2, 4, 6], 10n, 20n), 0)
    const same = settle(first.order, reading([4, 6, 9], 19n, 30n), 500)
    const next = settle(same.order, reading([4, 6, 9], 20n, 40n), 1_000)
    const last = settle(next.order, reading([9], 40n, 50n), 1_500)

    expect([first, same, next, last].map(numbersOf)).toEqual([[2], [], [4, 6], [9]])
    expect(last.order).toEqual({ told: 9, doubt: null })
  })

  it('is told in its place when it comes', () => {
    const first = settle({ told: 1, doubt: null }, reading([3], 10n, 20n), 0)
    const second = settle(first.order, reading([2, 3, 5], 12n, 22n), 500)
    const third = settle(second.order, reading([5], 20n, 30n), 1_000)
    const fourth = settle(third.order, reading([5], 22n, 32n), 1_500)

    expect([first, second, third, fourth].map(numbersOf)).toEqual([[], [2, 3], [], [5]])
  })

  it('is given up after a minute, because a transaction of another program may last for hours', () => {
    const first = settle({ told: 1, doubt: null }, reading([3], 10n, 20n), 0)

    const before = settle(first.order, reading([3], 10n, 20n), 59_999)
    const after = settle(first.order, reading([3], 10n, 20n), 60_000)

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
    await tx.execute(`
      with changed as (
        update jobs set status = 'cancelled', ended_at = now()
         where job_id = '${jobId}' and status = 'queued'
        returning job_key)
      insert into job_events (job_key, kind, at) select job_key, 'cancelled', now() from changed`)
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
