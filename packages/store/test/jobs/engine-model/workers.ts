import { expect } from 'vitest'
import { moveClaims } from '../../../src/jobs/move-claims.ts'
import { insertWorker, removeWorker, renewWorker } from '../../../src/jobs/workers.ts'
import { deviceIdsOf, heldAttempt } from './attempts.ts'
import { chunkOf, type Model, type ModelWorker, move, workerOf } from './model.ts'
import { jobOf, leaseMs, type Step, timeOf } from './step.ts'

/** J11: a worker that is alive keeps what it has claimed. One that froze does, too, if it comes back in time. */
export function renew(no: number): Step {
  return ofWorker('renew', no, async (db, { workerId, leaseUntil }, before) => {
    const until = before.now + leaseMs
    const isRenewed = await renewWorker(db, { workerId, leaseUntil: new Date(leaseUntil) }, new Date(until))
    return (model) => {
      expect(isRenewed).toBe(model.leases.get(workerId) === leaseUntil)
      if (!isRenewed) return
      model.leases.set(workerId, until)
      Object.assign(workerOf(model, no), { leaseUntil: until })
    }
  })
}

/** J11: what a worker does that may hold more than it knows: it takes another lease, and moves there what it knows. */
export function takeAnother(no: number): Step {
  return ofWorker('takeAnother', no, async (db, _, before) => {
    const workerId = `worker-${no}-${before.leaseCount}`
    const leaseUntil = before.now + leaseMs
    const known = before.claims.filter((claim) => claim.workerNo === no)
    await insertWorker(db, { workerId, leaseUntil: new Date(leaseUntil) }, timeOf(before))
    await moveClaims(db, workerId, {
      chunks: known.flatMap((claim) => (claim.kind === 'chunk' ? [claim.given] : [])),
      deviceJobs: known.flatMap((claim) => (claim.kind === 'due' ? [claim.given] : [])),
    })
    return (model) => {
      model.leaseCount += 1
      model.leases.set(workerId, leaseUntil)
      Object.assign(workerOf(model, no), { workerId, leaseUntil })
      for (const claim of known) {
        const job = jobOf(model, claim.given.job.key)
        for (const deviceId of deviceIdsOf(claim)) {
          if (heldAttempt(job, claim, deviceId) === null) continue
          const chunk = chunkOf(job, deviceId)
          const stage = chunk.stages.get(deviceId)
          if (stage?.kind === 'retried') move(job, chunk, deviceId, { ...stage, workerId })
          else chunk.holder = workerId
        }
      }
    }
  })
}

/** A worker stops. What it has claimed belongs to nobody then. */
export function leave(no: number): Step {
  return ofWorker('leave', no, async (db, { workerId }) => {
    await removeWorker(db, workerId)
    return (model) => model.leases.delete(workerId)
  })
}

function ofWorker(
  text: string,
  no: number,
  act: (...args: [db: Parameters<Step['act']>[0], worker: ModelWorker, before: Model]) => ReturnType<Step['act']>,
): Step {
  return {
    text: `${text}(worker ${no})`,
    isPossible: () => true,
    act: (db, before) => act(db, { ...workerOf(before, no) }, before),
  }
}
