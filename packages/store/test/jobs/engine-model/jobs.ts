import { isTerminal, type JobType, parseJobId, type StageRequest } from '@muster/contract'
import { expect } from 'vitest'
import { cancelJob, completeJob, failJob, insertJob, markScheduled } from '../../../src/jobs/jobs.ts'
import { start } from '../engine.ts'
import {
  closeRest,
  freeze,
  isOpen,
  isOver,
  type Model,
  type ModelJob,
  type ModelStage,
  maxRunningJobs,
  startOf,
} from './model.ts'
import { type Choice, ofJob, type Step, timeOf } from './step.ts'

export function create(request: {
  type: JobType
  deviceIds: readonly string[]
  isListed: boolean
  chunkSize: number
  startsInSeconds: number | null
  windowSeconds: number
  stages: readonly NewStage[] | null
}): Step {
  const { type, deviceIds, isListed, chunkSize, startsInSeconds, windowSeconds, stages } = request
  return {
    text: `create(${JSON.stringify(request)})`,
    isPossible: ({ jobs }) => jobs.length < 4,
    async act(db, model) {
      const jobId = parseJobId(`job-${model.jobs.length}`)
      const startTime = startsInSeconds === null ? null : new Date(model.now + startsInSeconds * 1000)
      const queryCondition = `deviceId IN [${deviceIds.map((id) => `'${id}'`).join(', ')}]`
      const created = await insertJob(
        db,
        {
          jobId,
          type,
          target: isListed ? { kind: 'devices', deviceIds } : { kind: 'condition', queryCondition },
          queryCondition,
          body: {},
          startTime,
          maxExecutionTimeInSeconds: windowSeconds,
          ...(stages === null ? {} : { extensions: { rollout: { stages: stages.map(stageRequest), order: 'id' } } }),
        },
        timeOf(model),
      )
      return (model) => {
        expect(created === null).toBe(model.jobs.some((job) => job.jobId === jobId))
        if (created === null) return
        const startAt = Math.max(startTime?.getTime() ?? model.now, model.now)
        model.jobs.push({
          jobId,
          key: created.key,
          type,
          startAt,
          windowSeconds,
          deadlineAt: startAt + windowSeconds * 1000,
          windowLeft: 0,
          pauseEndsAt: Number.POSITIVE_INFINITY,
          requested: [...new Set(deviceIds)].sort(),
          isListed,
          chunkSize,
          lastRegistration: 0,
          status: 'queued',
          isPaused: false,
          pausedAt: null,
          openStage: 0,
          stages: stages?.map((stage) => ({ ...stage, metAt: null, heldAt: null, hasStopped: false })) ?? null,
          rest: null,
          chunks: null,
        })
      }
    },
  }
}

type NewStage = Omit<ModelStage, 'metAt' | 'heldAt' | 'hasStopped'>

function stageRequest(stage: NewStage): StageRequest {
  const { size, successThreshold, soakSeconds, isManual, failureCount, action } = stage
  return {
    size,
    soakSeconds,
    ...(successThreshold === null ? {} : { successThreshold }),
    ...(isManual ? { approval: 'manual' } : {}),
    ...(failureCount === null ? {} : { abort: { failureCount, action } }),
  }
}

export function schedule(choice: Choice): Step {
  const isApt = ({ status }: ModelJob) => status === 'queued'
  return ofJob({ text: 'schedule', choice, isApt }, async (db, { key }) => {
    const isScheduled = await markScheduled(db, key)
    return (job) => {
      expect(isScheduled).toBe(isApt(job))
      if (isScheduled) job.status = 'scheduled'
    }
  })
}

export function startDue(choice: Choice): Step {
  const isApt = (job: ModelJob, model: Model) => startOf(model, job) === 'started'
  return ofJob({ text: 'start', choice, isApt }, async (db, { key, chunkSize }, { now }) => {
    const { kind } = await start(db, key, { chunkSize, maxRunningJobs, now: new Date(now) })
    return (job, model, isAlone) => {
      // Somebody else starts it at the moment.
      if (kind === 'idle' && !isAlone) return
      expect(kind).toBe(startOf(model, job))
      if (kind === 'started') freeze(model, job)
      if (kind === 'started' && isOver(model, job)) closeRest(job, 'expired')
      if (kind === 'full') job.status = 'queued'
    }
  })
}

export function cancel(choice: Choice): Step {
  return ofJob({ text: 'cancel', choice, isApt: hasNotEnded }, async (db, { jobId }, before) => {
    const { kind } = await cancelJob(db, jobId, timeOf(before))
    return (job) => {
      expect(kind).toBe(hasNotEnded(job) || job.status === 'cancelled' ? 'cancelled' : 'terminal')
      if (kind === 'cancelled') endJob(job, 'cancelled')
    }
  })
}

export function fail(choice: Choice): Step {
  return ofJob({ text: 'fail', choice, isApt: hasNotEnded }, async (db, { key }, before) => {
    const failed = await failJob(db, key, 'it could not do its work', timeOf(before))
    return (job) => {
      expect(failed !== null).toBe(hasNotEnded(job))
      if (failed !== null) endJob(job, 'failed')
    }
  })
}

export function complete(choice: Choice): Step {
  const isDrained = (job: ModelJob) => job.status === 'running' && !isOpen(job)
  return ofJob({ text: 'complete', choice, isApt: isDrained }, async (db, { key }, before) => {
    const completed = await completeJob(db, key, timeOf(before))
    return (job) => {
      expect(completed !== null).toBe(isDrained(job))
      if (completed !== null) job.status = 'completed'
    }
  })
}

export function hasNotEnded({ status }: ModelJob): boolean {
  return !isTerminal(status)
}

/** Ending a job that has ended changes nothing. */
export function endJob(job: ModelJob, status: 'cancelled' | 'failed'): void {
  if (job.status === status) return
  job.status = status
  closeRest(job, 'canceled')
}
