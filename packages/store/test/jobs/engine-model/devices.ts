import { type DeviceJobStatus, isTerminal, parseJobId } from '@muster/contract'
import { expect } from 'vitest'
import { hubItself } from '../../../src/jobs/job-events.ts'
import { changeDevices, type DeviceAction } from '../../../src/jobs/selected/change-devices.ts'
import { rerunJob } from '../../../src/jobs/selected/rerun-job.ts'
import { type Model, type ModelJob, move, type Stage, stagesOf, statusOf } from './model.ts'
import { type Choice, ofJob, type Step, timeOf } from './step.ts'

/** What people do to single devices of a job, and a job that does an ended one again. */

/** R65, R67: to some devices, or to all. */
export function changeSome(choice: Choice, action: DeviceAction, deviceIds: readonly string[] | null): Step {
  const text = `${action} ${deviceIds ?? 'all'}`
  const selection = { statuses: null, errorCodes: null, deviceIds }
  const isApt = (job: ModelJob, model: Model) => changeable(job, model, action, deviceIds).length > 0
  return ofJob({ text, choice, isApt }, async (db, { jobId }, before) => {
    const changed = await changeDevices(db, jobId, { action, selection, asker: hubItself }, timeOf(before))
    return (job, model) => {
      if (job.status !== 'running') return expect(changed).toEqual({ kind: 'idle', status: job.status })
      const matched = stagesOf(job).filter(([deviceId]) => deviceIds?.includes(deviceId) ?? true)
      const wanted = changeable(job, model, action, deviceIds)
      expect(changed).toMatchObject({ matchedCount: matched.length, changedCount: wanted.length })
      for (const [deviceId, to] of wanted) {
        const chunk = job.chunks?.find(({ stages }) => stages.has(deviceId))
        if (chunk !== undefined) move(job, chunk, deviceId, to)
      }
    }
  })
}

/** Each device to which it can be done, with what becomes of it. */
function changeable(
  job: ModelJob,
  { now }: Model,
  action: DeviceAction,
  deviceIds: readonly string[] | null,
): [deviceId: string, to: Stage][] {
  if (job.status !== 'running') return []
  return (job.chunks ?? []).flatMap(({ stages, asked }) =>
    [...stages].flatMap(([deviceId, stage]): [string, Stage][] => {
      if (deviceIds?.includes(deviceId) === false || statusOf(stage) !== 'pending') return []
      if (action !== 'retry') {
        const errorCode = asked.has(deviceId) ? 'DeviceConnectionClosedRemotely' : null
        return [[deviceId, { kind: 'ended', status: action === 'skip' ? 'skipped' : 'canceled', errorCode }]]
      }
      return stage.kind === 'waiting' && stage.dueAt > now ? [[deviceId, { ...stage, dueAt: now }]] : []
    }),
  )
}

/** R70, R71: of the devices with one of these statuses. */
export function rerun(choice: Choice, statuses: readonly DeviceJobStatus[]): Step {
  const isApt = (job: ModelJob, { jobs }: Model) =>
    jobs.length < 4 && isTerminal(job.status) && idsOf(job, statuses) !== ''
  return ofJob({ text: `rerun ${statuses}`, choice, isApt }, async (db, parent, before) => {
    const jobId = parseJobId(`job-${before.jobs.length}`)
    const selection = { statuses, errorCodes: null, deviceIds: null }
    const request = { jobId, selection, requery: false, startTime: null, asker: hubItself, traceparent: null }
    const created = await rerunJob(db, parent.jobId, request, timeOf(before))
    return (job, model) => {
      const isTaken = model.jobs.some((other) => other.jobId === jobId)
      expect(created.kind).toBe(kindOf(job, statuses, isTaken))
      if (created.kind !== 'created') return
      model.jobs.push({
        ...job,
        jobId,
        key: created.job.key,
        startAt: model.now,
        deadlineAt: model.now + job.windowSeconds * 1000,
        requested: idsOf(job, statuses).split(' '),
        isListed: true,
        lastRegistration: 0,
        status: 'queued',
        isPaused: false,
        pausedAt: null,
        pauseEndsAt: Number.POSITIVE_INFINITY,
        openStage: 0,
        stages: job.stages?.map((stage) => ({ ...stage, metAt: null, heldAt: null, hasStopped: false })) ?? null,
        rest: null,
        chunks: null,
      })
    }
  })
}

function kindOf(job: ModelJob, statuses: readonly DeviceJobStatus[], isTaken: boolean): string {
  if (!isTerminal(job.status)) return 'open'
  if (job.chunks === null) return 'nothing'
  if (isTaken) return 'taken'
  return idsOf(job, statuses) === '' ? 'nothing' : 'created'
}

function idsOf(job: ModelJob, statuses: readonly DeviceJobStatus[]): string {
  return stagesOf(job)
    .flatMap(([deviceId, stage]) => (statuses.includes(statusOf(stage)) ? [deviceId] : []))
    .join(' ')
}
