import { isTerminal } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { hubItself } from '../../../src/jobs/job-events.ts'
import { pauseJob, resumeJob } from '../../../src/jobs/rollout/pause.ts'
import { cancelLongPaused } from '../../../src/jobs/sweeps/cancel-long-paused.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { endJob, hasNotEnded } from './jobs.ts'
import { idsIn, isOver, type Model, type ModelChunk, type ModelJob, pauseAt, resumeAt } from './model.ts'
import { type Choice, ofJob, type Step, step, timeOf } from './step.ts'

/** What the API will do to a job in its course, by the statements that this asks for: the engine has only to honour it. */

/** J40: of a job without stages of its own, the second half of the chunks becomes a second stage, as if the start had made two. */
export function divide(choice: Choice): Step {
  const half = ({ chunks }: ModelJob) => Math.ceil((chunks?.length ?? 0) / 2)
  const isApt = (job: ModelJob) => job.stages === null && half(job) > 0
  return ofJob({ text: 'divide', choice, isApt }, async (db, before) => {
    const from = half(before)
    if (before.stages !== null) return () => {}
    await rows(
      db,
      sql`update chunks set stage_no = 1 where job_key = ${before.key} and chunk_no >= ${from} returning chunk_no`,
    )
    return (job) => {
      for (const chunk of job.chunks?.slice(from) ?? []) chunk.stageNo = 1
    }
  })
}

/** J40 */
export function openNextStage(choice: Choice): Step {
  const isApt = ({ status, openStage, stages }: ModelJob) => stages === null && status === 'running' && openStage === 0
  return ofJob({ text: 'openNextStage', choice, isApt }, async (db, { key, stages }) => {
    if (stages !== null) return () => {}
    const opened = await changes(
      db,
      sql`update jobs set open_stage = 1 where job_key = ${key} and status = 'running' and open_stage = 0`,
    )
    return (job) => {
      expect(opened).toBe(isApt(job))
      if (opened) job.openStage = 1
    }
  })
}

/** J40 */
export function hold(choice: Choice, chunkNo: number): Step {
  return ofChunk('hold', { choice, chunkNo, from: 'ready', to: 'held' }, isReady, (chunk) => {
    chunk.isHeld = true
  })
}

/** J40 */
export function release(choice: Choice, chunkNo: number): Step {
  return ofChunk('release', { choice, chunkNo, from: 'held', to: 'ready' }, isHeld, (chunk) => {
    chunk.isHeld = false
  })
}

/** J41, R39. `timeoutSeconds`: R42. */
export function pause(choice: Choice, timeoutSeconds?: number): Step {
  const isApt = (job: ModelJob, model: Model) =>
    !isTerminal(job.status) && !job.isPaused && !(job.status === 'running' && isOver(model, job))
  const text = timeoutSeconds === undefined ? 'pause' : `pause for ${timeoutSeconds} s`
  return ofJob({ text, choice, isApt }, async (db, { key }, before) => {
    const pausing = { asker: hubItself, reason: null, timeoutSeconds }
    const paused = await db.transaction((tx) => pauseJob(tx, key, pausing, timeOf(before)))
    const { now } = before
    return (job) => {
      expect(paused).toBe(isApt(job, before))
      if (paused) pauseAt(job, now, timeoutSeconds)
    }
  })
}

/** J41, R18, R39 */
export function resume(choice: Choice): Step {
  const isApt = ({ status, isPaused }: ModelJob) => !isTerminal(status) && isPaused
  return ofJob({ text: 'resume', choice, isApt }, async (db, { key }, before) => {
    const resumed = await db.transaction((tx) => resumeJob(tx, key, { asker: hubItself }, timeOf(before)))
    const { now } = before
    return (job) => {
      expect(resumed).toBe(isApt(job))
      if (resumed) resumeAt(job, now)
    }
  })
}

/** R42: it passes over a job that somebody changes just then. */
export const cancelLongPauses = step('cancelLongPauses', async (db, before) => {
  const cancelled = await cancelLongPaused(db, { limit: 100 }, timeOf(before))
  return (model, isAlone) => {
    const overdue = model.jobs.filter((job) => hasNotEnded(job) && job.isPaused && job.pauseEndsAt <= before.now)
    const keys = cancelled.map(({ key }) => key)
    expect(overdue.map(({ key }) => key)).toEqual(expect.arrayContaining(keys))
    if (isAlone) expect(keys).toHaveLength(overdue.length)
    for (const job of overdue) if (keys.includes(job.key)) endJob(job, 'cancelled')
  }
})

function isReady(chunk: ModelChunk): boolean {
  return !chunk.isHeld && chunk.holder === null && idsIn(chunk, 'untried').length > 0
}

function isHeld(chunk: ModelChunk): boolean {
  return chunk.isHeld
}

function ofChunk(
  text: string,
  { choice, chunkNo, from, to }: { choice: Choice; chunkNo: number; from: string; to: string },
  mayChange: (chunk: ModelChunk) => boolean,
  change: (chunk: ModelChunk) => void,
): Step {
  const isApt = ({ chunks }: ModelJob) => {
    const chunk = chunks?.[chunkNo]
    return chunk !== undefined && mayChange(chunk)
  }
  return ofJob({ text: `${text} ${chunkNo}`, choice, isApt }, async (db, { key }) => {
    const isChanged = await changes(
      db,
      sql`
      update chunks set status = ${to}
       where job_key = ${key} and chunk_no = ${chunkNo} and status = ${from}
         and (${to} = 'ready' or attempted < device_count)`,
    )
    return (job) => {
      expect(isChanged).toBe(isApt(job))
      const chunk = job.chunks?.[chunkNo]
      if (isChanged && chunk !== undefined) change(chunk)
    }
  })
}

async function changes(db: Db, update: ReturnType<typeof sql>): Promise<boolean> {
  return (await rows(db, sql`${update} returning job_key`)).length > 0
}
