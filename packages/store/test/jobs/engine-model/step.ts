import type { JobKey } from '@muster/contract'
import type { Db } from '../../../src/postgres/sql.ts'
import { type Model, type ModelJob, move } from './model.ts'

/** One thing that happens to the engine. */
export interface Step {
  readonly text: string
  isPossible(model: Model): boolean
  /**
   * Does it. What it returns moves the model and expects what the engine has answered; `isAlone`: nothing else happened
   * meanwhile.
   */
  act(db: Db, model: Model): Promise<(model: Model, isAlone: boolean) => void>
}

export const knownIds = ['d0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7']
export const unknownIds = ['ghost-0', 'ghost-1']
export const leaseMs = 20_000

/** Chooses one of the jobs or claims there are; undefined when there are none. */
export interface Choice {
  readonly text: string
  from<T>(candidates: readonly T[], isApt: (candidate: T) => boolean): T | undefined
}

/** Counted round, whether or not the step comes to anything with it. */
export function any(no: number): Choice {
  return { text: `${no}`, from: (candidates) => candidates[no % candidates.length] }
}

/** One with which the step comes to something, if there is one. */
export function apt(no: number): Choice {
  const { from } = any(no)
  return {
    text: `apt ${no}`,
    from: (candidates, isApt) => from(candidates.filter(isApt), isApt) ?? from(candidates, isApt),
  }
}

/** One with which the step must come to nothing, if there is one. */
export function inapt(no: number): Choice {
  const { from } = apt(no)
  return {
    text: `inapt ${no}`,
    from: (candidates, isApt) => from(candidates, (candidate) => !isApt(candidate)),
  }
}

/** Follows what was done to a job. */
export type Follow = (job: ModelJob, model: Model, isAlone: boolean) => void

interface JobStep {
  readonly text: string
  readonly choice: Choice
  isApt(job: ModelJob, model: Model): boolean
}

export function ofJob(
  { text, choice, isApt }: JobStep,
  act: (db: Db, job: ModelJob, model: Model) => Promise<Follow>,
): Step {
  const chosen = (model: Model) => choice.from(model.jobs, (job) => isApt(job, model))
  return {
    text: `${text}(job ${choice.text})`,
    isPossible: (model) => chosen(model) !== undefined,
    async act(db, before) {
      const job = chosen(before)
      if (job === undefined) throw new Error('there is no job')
      const followJob = await act(db, job, before)
      return (model, isAlone) => followJob(jobOf(model, job.key), model, isAlone)
    },
  }
}

export function step(text: string, act: Step['act']): Step {
  return { text, isPossible: () => true, act }
}

export function jobOf({ jobs }: Model, key: JobKey): ModelJob {
  const job = jobs.find((one) => one.key === key)
  if (job === undefined) throw new Error(`there is no job ${key}`)
  return job
}

export function timeOf({ now }: Model): Date {
  return new Date(now)
}

export function waitingOf(job: ModelJob) {
  return (job.chunks ?? []).flatMap((chunk) =>
    [...chunk.stages].flatMap(([deviceId, stage]) => (stage.kind === 'waiting' ? [{ deviceId, chunk, stage }] : [])),
  )
}

/** Makes due what waits for one of the devices. Returns how many. */
export function reach(job: ModelJob, now: number, isReached: (deviceId: string) => boolean): number {
  const reached = waitingOf(job).filter(
    ({ deviceId, stage }) => stage.dueAt === Number.POSITIVE_INFINITY && isReached(deviceId),
  )
  for (const { deviceId, chunk, stage } of reached) move(job, chunk, deviceId, { ...stage, dueAt: now })
  return reached.length
}
