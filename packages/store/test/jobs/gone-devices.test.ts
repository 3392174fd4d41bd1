import type { Job } from '@muster/contract'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RunningJob, readRunningJob } from '../../src/jobs/chunks.ts'
import { markDueWhereReachable } from '../../src/jobs/device-jobs.ts'
import { markGone } from '../../src/jobs/gone-devices.ts'
import { cancelJob } from '../../src/jobs/jobs.ts'
import { markForgottenReachable } from '../../src/jobs/sweeps/mark-forgotten-reachable.ts'
import type { Db } from '../../src/postgres/sql.ts'
import { deleteIdentities } from '../../src/registry/identities.ts'
import { findRoutes } from '../../src/sessions/sessions.ts'
import { patchTwins } from '../../src/twins/sets.ts'
import { readTwin } from '../../src/twins/twins.ts'
import { deviceId, givenDevice } from '../fleet.ts'
import { claimDue, claimed, givenJob, noon, on, openStore, recordFirstAttempts, start, worker } from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const all = { limit: 100 }
const later = on('12:00:10')

it('J30 a device job that waits for a device is due as soon as the device is deleted', async () => {
  const { job, deviceIds } = await givenWaiting('left', [null])

  await deleteIdentities(db, deviceIds)
  const woken = await markGone(db, deviceIds, later)
  const due = await claimDue(db, job.key, { workerId: worker, ...all }, later)

  expect(woken).toEqual([job.key])
  expect(due?.attempts).toMatchObject([{ deviceId: 'left-0', attempt: 2 }])
})

it('J30 a device job that waits for its next attempt is due too, and those of other devices and of ended jobs are not', async () => {
  const { job, deviceIds } = await givenWaiting('backoff', [on('12:20:00'), null])
  const ended = await givenWaiting('ended', [null])
  await cancelJob(db, ended.job.jobId, later)

  await deleteIdentities(db, ['backoff-0', 'ended-0'])
  const woken = await markGone(db, ['backoff-0', 'ended-0'], later)
  const due = await claimDue(db, job.key, { workerId: worker, ...all }, later)

  expect(woken).toEqual([job.key])
  expect(due?.attempts).toMatchObject([{ deviceId: deviceIds[0], attempt: 2 }])
})

it('J30 a wait that is written after the deletion is due at once', async () => {
  const { running } = await givenWaiting('crossing', [null, null])

  await deleteIdentities(db, ['crossing-0'])

  expect(await markDueWhereReachable(db, running, ['crossing-0', 'crossing-1'], later)).toBe(1)
})

it('J30 a sweep finds what waits for a device whose deletion told nobody', async () => {
  await givenWaiting('untold', [null])
  await deleteIdentities(db, ['untold-0'])

  const { count } = await markForgottenReachable(db, { ...all, after: null }, later)
  expect(count).toBeGreaterThanOrEqual(1)
})

it('J31 a device that is made anew after the start has a higher number than the target set, and the others have not', async () => {
  const { running } = await givenWaiting('heir', [null, null])

  await deleteIdentities(db, ['heir-0'])
  await givenDevice(db, 'heir-0')
  const routes = await findRoutes(db, ['heir-0', 'heir-1'])

  const isLater = Object.fromEntries(
    routes.map((route) => [route.identity, route.generationNo > running.lastGenerationNo]),
  )
  expect(isLater).toEqual({ 'heir-0': true, 'heir-1': false })
  expect(await markDueWhereReachable(db, running, ['heir-0', 'heir-1'], later)).toBe(1)
})

it('J31 a twin job leaves the twin of a device as it is that was made anew after the start', async () => {
  const job = await givenTargets('twin', { type: 'scheduleUpdateTwin' })
  const running = await readRunning(job)
  await deleteIdentities(db, ['twin-0'])
  await givenDevice(db, 'twin-0', { tags: { owner: 'new' } })

  const patched = await db.transaction((tx) =>
    patchTwins(tx, ['twin-0', 'twin-1'], { tags: { owner: 'old' } }, later, running),
  )

  expect(patched).toMatchObject({ patched: 1, missing: ['twin-0'], unsure: [] })
  expect(await readTwin(db, deviceId('twin-0'))).toMatchObject({ tags: { owner: 'new' }, version: 2 })
})

it('J31 a listed device that is registered only after the start is no target of the job', async () => {
  await givenDevice(db, 'present')
  const job = await givenJob(db, { devices: ['present', 'absent'] })
  await start(db, job.key)
  const { lastGenerationNo } = await readRunning(job)
  await givenDevice(db, 'absent')

  const [route] = await findRoutes(db, ['absent'])

  expect(route?.generationNo).toBeGreaterThan(lastGenerationNo)
})

/** A running job over `<prefix>-0` and `<prefix>-1`, which are registered. */
async function givenTargets(prefix: string, request: Partial<Parameters<typeof givenJob>[1]> = {}): Promise<Job> {
  const devices = [0, 1].map((no) => `${prefix}-${no}`)
  for (const id of devices) await givenDevice(db, id)
  const job = await givenJob(db, { devices, ...request })
  await start(db, job.key)
  return job
}

/** The same, with devices that wait until these times; null: until they connect. */
async function givenWaiting(prefix: string, dueTimes: readonly (Date | null)[]) {
  const job = await givenTargets(prefix)
  const chunk = await claimed(db, job.key)
  const deviceIds = dueTimes.map((_, no) => `${prefix}-${no}`)
  const outcomes = dueTimes.map((dueAt, no) => ({ deviceId: `${prefix}-${no}`, status: 'pending', dueAt }) as const)
  await recordFirstAttempts(db, chunk, outcomes, noon)
  return { job, running: chunk.job, deviceIds }
}

async function readRunning({ key }: Job): Promise<RunningJob> {
  const job = await readRunningJob(db, key)
  if (job === null) throw new Error('the job has ended')
  return job
}
