import { jsonText } from '@muster/contract'
import { type ClaimedChunk, claimChunk, recordFirstAttempts, releaseExpiredChunks } from '@muster/store'
import { eventually } from '@muster/testkit'
import { expect, it } from 'vitest'
import type { Claim } from '../src/claim.ts'
import { takeLease } from '../src/lease.ts'
import { given, givenJob, givenPostgres, noon, permitted } from './given.ts'
import { noSpan } from './given-claims.ts'

const later = (seconds: number) => new Date(noon.getTime() + 1_000 * seconds)

it('J11 a claim whose answer was lost ends with the lease under which it was made, and the others stay', async () => {
  const { cut, db, direct, sql } = await givenPostgres()
  const job = await givenJob(direct, { devices: 2, chunkSize: 1 })
  const clock = { now: () => noon }
  const known: Claim[] = []
  const lease = await takeLease({ db, clock, events: silent }, () => known)
  const claim = () => lease.claim(async (workerId) => permitted(await claimChunk(db, job, workerId, clock.now())))
  const holders = async () => (await sql`select leased_by from chunks order by chunk_no`).map((row) => row.leased_by)
  const first = given(await claim())
  known.push(claimOf(first))

  cut.answerTo('claimChunk')
  await expect(claim()).rejects.toThrow()
  const [before] = await holders()
  expect(await holders()).toEqual([before, before])

  clock.now = () => later(10)
  await eventually(async () => expect(await holders()).toEqual([expect.not.stringMatching(before), before]), {
    timeoutMs: 20_000,
  })
  const released = await releaseExpiredChunks(direct, { limit: 100 }, later(15))

  expect(released).toBe(1)
  expect(await claim()).toMatchObject({ chunkNo: 1, fence: 2 })
  const [recorded] = await recordFirstAttempts(direct, [{ claim: first, outcomes: outcomesOf(first) }], later(15))
  expect(recorded?.count).toBe(1)
  await lease.stop()
})

it('J11 a worker that stops leaves no lease behind, also when a renewal was lost', async () => {
  const { cut, db, sql } = await givenPostgres()
  const failures: unknown[] = []
  const events = { leaseRenewalFailed: ({ error }: { error: unknown }) => void failures.push(error) }

  cut.answerTo('insert into workers')
  const lease = await takeLease({ db, clock: { now: () => noon }, events }, () => [])
  const lost = await sql`select worker_id from workers`
  await eventually(async () => expect(await sql`select worker_id from workers`).toHaveLength(2), { timeoutMs: 20_000 })
  await lease.stop()

  // That of the lost statement ends by itself.
  expect(failures).toHaveLength(1)
  expect(await sql`select worker_id from workers`).toEqual(lost)
})

const silent = { leaseRenewalFailed: () => {} }

function claimOf(chunk: ClaimedChunk): Claim {
  return {
    kind: 'chunks',
    given: chunk,
    job: chunk.job,
    workerId: 'whose',
    claimedAt: noon,
    deviceCount: 1,
    attempts: [],
    span: noSpan,
  }
}

function outcomesOf({ deviceIds }: ClaimedChunk) {
  const response = jsonText({ status: 200, payload: null })
  return deviceIds.map((deviceId) => ({ deviceId, status: 'completed' as const, response }))
}
