import { jsonText, parseJobId } from '@muster/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hubItself } from '../../src/jobs/job-events.ts'
import { cancelJob, completeJob } from '../../src/jobs/jobs.ts'
import { rerunJob } from '../../src/jobs/selected/rerun-job.ts'
import { readLineage } from '../../src/outcomes/lineage.ts'
import type { Db } from '../../src/postgres/sql.ts'
import { claimed, givenRunningJob, noon, openStore, recordFirstAttempts, start } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

async function rerun(parentJobId: string, jobId: string) {
  const selection = { statuses: ['failed'] as const, errorCodes: null, deviceIds: null }
  const request = { jobId: parseJobId(jobId), selection, requery: false, startTime: null }
  const created = await rerunJob(db, parentJobId, { ...request, asker: hubItself, traceparent: null }, noon)
  if (created.kind !== 'created') throw new Error(created.kind)
  return created.job
}

/** Ends the devices of a job: those of these numbers fail, the others complete. */
async function carryOut(key: Parameters<typeof claimed>[1], failing: readonly string[]) {
  const chunk = await claimed(db, key)
  const error = { code: 'GatewayTimeout', description: 'no answer' } as const
  await recordFirstAttempts(
    db,
    chunk,
    chunk.deviceIds.map((deviceId) =>
      failing.some((no) => deviceId.endsWith(no))
        ? { deviceId, status: 'failed', error }
        : { deviceId, status: 'completed', response: jsonText({}) },
    ),
    noon,
  )
  await completeJob(db, key, noon)
}

const all = { deviceId: null, write: () => '' }

it('R74 the lineage of a job has all jobs around it, and what became of each device in the last one', async () => {
  const root = await givenRunningJob(db, { devices: 5 })
  await carryOut(root.key, ['2', '3', '4'])
  const second = await rerun(root.jobId, 'second')
  await start(db, second.key)
  await carryOut(second.key, ['3', '4'])
  const third = await rerun('second', 'third')
  await start(db, third.key)
  await cancelJob(db, 'third', noon)
  await rerun(root.jobId, 'queued')

  const lineage = await readLineage(db, 'second', all)

  expect(lineage?.jobs.map(({ jobId, parentJobId, status }) => [jobId, parentJobId, status])).toEqual([
    [root.jobId, null, 'completed'],
    ['second', root.jobId, 'completed'],
    ['third', 'second', 'cancelled'],
    ['queued', root.jobId, 'queued'],
  ])
  expect(lineage?.latest).toEqual({ deviceCount: 5, byStatus: { completed: 3, canceled: 2 } })
  expect(await readLineage(db, root.jobId, all)).toEqual(lineage)
})

it('R74 the lineage tells what became of one device in each job', async () => {
  const root = await givenRunningJob(db, { devices: 3 })
  await carryOut(root.key, ['1', '2'])
  const again = await rerun(root.jobId, 'again')
  await start(db, again.key)
  await carryOut(again.key, [])

  const lineage = await readLineage(db, 'again', {
    deviceId: 'device-0001',
    write: ({ jobId, status }) => `${jobId} ${status}`,
  })

  expect(lineage).toMatchObject({ latest: null, deviceJobs: [`${root.jobId} failed`, 'again completed'] })
  expect(await readLineage(db, 'nobody', all)).toBeNull()
})
