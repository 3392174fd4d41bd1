import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { markReachable } from '../../../src/jobs/device-jobs.ts'
import { markGone } from '../../../src/jobs/gone-devices.ts'
import { expireOverdueJobs } from '../../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { keepStatistics } from '../../../src/jobs/sweeps/keep-statistics.ts'
import { markForgottenReachable } from '../../../src/jobs/sweeps/mark-forgotten-reachable.ts'
import { releaseExpiredChunks } from '../../../src/jobs/sweeps/release-expired-chunks.ts'
import { releaseExpiredDeviceJobs } from '../../../src/jobs/sweeps/release-expired-device-jobs.ts'
import { type Db, rows, texts } from '../../../src/postgres/sql.ts'
import { deleteIdentities } from '../../../src/registry/identities.ts'
import { givenDevices } from '../engine.ts'
import { closeRest, deviceJobs, idsIn, isAlive, isGone, isOpen, type Model, mayAttempt, move } from './model.ts'
import { reach, type Step, step, timeOf, waitingOf } from './step.ts'

const all = { limit: 100 }

/** Devices connect and subscribe to methods. */
export function connect(deviceIds: readonly string[]): Step {
  return step(`connect(${deviceIds})`, async (db) => {
    await setGateway(db, deviceIds, 'gateway-1')
    return (model) => {
      for (const deviceId of deviceIds) if (model.registered.has(deviceId)) model.reachable.add(deviceId)
    }
  })
}

/** J30: deletes devices, and what waits for them is due. */
export function remove(deviceIds: readonly string[]): Step {
  return step(`remove(${deviceIds})`, async (db, before) => {
    await deleteIdentities(db, deviceIds)
    await markGone(db, deviceIds, timeOf(before))
    return (model) => {
      for (const deviceId of deviceIds) {
        model.registered.delete(deviceId)
        model.reachable.delete(deviceId)
      }
      for (const job of model.jobs) {
        if (!mayAttempt(model, job)) continue
        for (const { deviceId, chunk, stage } of waitingOf(job)) {
          const isDue = stage.dueAt <= model.now
          if (deviceIds.includes(deviceId) && !isDue) move(job, chunk, deviceId, { ...stage, dueAt: model.now })
        }
      }
    }
  })
}

/** Registers those devices that are not registered. */
export function register(deviceIds: readonly string[]): Step {
  return step(`register(${deviceIds})`, async (db) => {
    await givenDevices(db, deviceIds, { isReachable: false })
    return (model) => {
      for (const deviceId of deviceIds) {
        if (model.registered.has(deviceId)) continue
        model.registrations += 1
        model.registered.set(deviceId, model.registrations)
      }
    }
  })
}

/** The word of the gateway that devices have connected, which may be late or never come. */
export function announce(deviceIds: readonly string[]): Step {
  return step(`announce(${deviceIds})`, async (db, before) => {
    const woken = await markReachable(db, deviceIds, timeOf(before))
    return (model) => {
      const expected = model.jobs.filter(
        (job) => mayAttempt(model, job) && reach(job, model.now, (id) => deviceIds.includes(id)) > 0,
      )
      // A wake-up more is harmless.
      expect(woken).toEqual(expect.arrayContaining(expected.map(({ key }) => key)))
    }
  })
}

export function disconnect(deviceIds: readonly string[]): Step {
  return step(`disconnect(${deviceIds})`, async (db) => {
    await setGateway(db, deviceIds, null)
    return (model) => {
      for (const deviceId of deviceIds) model.reachable.delete(deviceId)
    }
  })
}

export const findReachable = step('findReachable', async (db, before) => {
  await markForgottenReachable(db, { ...all, after: null }, timeOf(before))
  return (model) => {
    for (const job of model.jobs) {
      if (mayAttempt(model, job)) reach(job, model.now, (id) => model.reachable.has(id) || isGone(model, job, id))
    }
  }
})

/** It changes nothing that one can read, neither now nor later. */
export const keep = step('keepStatistics', async (db) => {
  await keepStatistics(db, all)
  return () => {}
})

export function advance(seconds: number): Step {
  return step(`advance(${seconds} s)`, async () => (model) => {
    model.now += seconds * 1000
  })
}

/** To the end of the next window. */
export const advanceToDeadline = step('advanceToDeadline', async () => (model) => {
  const deadlines = model.jobs
    .map(({ deadlineAt }) => deadlineAt)
    .filter((deadlineAt) => deadlineAt > model.now && Number.isFinite(deadlineAt))
  model.now = deadlines.length === 0 ? model.now : Math.min(...deadlines)
})

export const releaseChunks = step('releaseChunks', async (db, before) => {
  const released = await releaseExpiredChunks(db, all, timeOf(before))
  return (model) => {
    let count = 0
    removeGone(model)
    for (const job of model.jobs) {
      for (const chunk of job.chunks ?? []) {
        if (chunk.holder === null || isAlive(model, chunk.holder)) continue
        for (const deviceId of idsIn(chunk, 'claimed')) move(job, chunk, deviceId, { kind: 'untried' })
        count += 1
      }
    }
    expect(released).toBe(count)
  }
})

/** Of a worker that is gone nothing stays, once nothing belongs to it. */
function removeGone(model: Model): void {
  const holders = new Set<string | null>()
  for (const [, chunk, , stage] of deviceJobs(model)) {
    holders.add(chunk.holder)
    if (stage.kind === 'retried') holders.add(stage.workerId)
  }
  for (const workerId of [...model.leases.keys()]) {
    if (!isAlive(model, workerId) && !holders.has(workerId)) model.leases.delete(workerId)
  }
}

export const releaseDeviceJobs = step('releaseDeviceJobs', async (db, before) => {
  const released = await releaseExpiredDeviceJobs(db, all, timeOf(before))
  return (model) => {
    let count = 0
    for (const [job, chunk, deviceId, stage] of deviceJobs(model)) {
      if (stage.kind !== 'retried' || isAlive(model, stage.workerId)) continue
      move(job, chunk, deviceId, { kind: 'waiting', attempt: stage.attempt, dueAt: model.now })
      count += 1
    }
    expect(released).toBe(count)
  }
})

export const expire = step('expire', async (db, before) => {
  const expired = await expireOverdueJobs(db, all, timeOf(before))
  return (model) => {
    const overdue = model.jobs.filter(
      (job) => job.status === 'running' && job.deadlineAt <= model.now && job.rest === null && isOpen(job),
    )
    // Two sweeps at once share the jobs: each passes over what the other ends just then.
    model.uncounted += overdue.length - expired
    for (const job of overdue) closeRest(job, 'expired')
  }
})

async function setGateway(db: Db, deviceIds: readonly string[], gatewayId: string | null): Promise<void> {
  await rows(
    db,
    sql`
    update sessions set gateway_id = ${gatewayId}, accepts_methods = ${gatewayId !== null}
     where device_id = any(${texts(deviceIds)})
    returning device_id`,
  )
}
