import { isTerminal } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { hubItself } from '../../../src/jobs/job-events.ts'
import { pauseJob, resumeJob } from '../../../src/jobs/rollout/pause.ts'
import { cancelLongPaused } from '../../../src/jobs/sweeps/cancel-long-paused.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { endJob, hasNotEnded } from './jobs.ts'
import { idsIn, type ModelChunk, type ModelJob } from './model.ts'
import { type Choice, ofJob, type Step, step, timeOf } from './step.ts'

/** What the API will do to a job in its course, by the statements that this asks for: the engine has only to honour it. */

/** J40: the second half of the chunks becomes a second stage, as if the start had made two. */
export function divide(choice: Choice): Step {
  const half = ({ chunks }: ModelJob) => Math.ceil((chunks?.length ?? 0) / 2)
  const isApt = (job: ModelJob) => half(job) > 0
  return ofJob({ text: 'divide', choice, isApt }, async (db, before) => {
    const from = half(before)
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
  const isApt = ({ status, openStage }: ModelJob) => status === 'running' && openStage === 0
  return ofJob({ text: 'openNextStage', choice, isApt }, async (db, { key }) => {
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
  const isApt = ({ status, isPaused }: ModelJob) => !isTerminal(status) && !isPaused
  const text = timeoutSeconds === undefined ? 'pause' : `pause for ${timeoutSeconds} s`
  return ofJob({ text, choice, isApt }, async (db, { key }, before) => {
    const paused = await pauseJob(db, key, { asker: hubItself, reason: null, timeoutSeconds }, timeOf(before))
    return (job) => {
      expect(paused).toBe(isApt(job))
      if (!paused) return
      job.isPaused = true
      job.windowLeft = job.deadlineAt - before.now
      job.deadlineAt = Number.POSITIVE_INFINITY
      job.pauseEndsAt = before.now + (timeoutSeconds ?? Number.POSITIVE_INFINITY) * 1000
    }
  })
}

/** J41, R39 */
export function resume(choice: Choice): Step {
  const isApt = ({ status, isPaused }: ModelJob) => !isTerminal(status) && isPaused
  return ofJob({ text: 'resume', choice, isApt }, async (db, { key }, before) => {
    const resumed = await resumeJob(db, key, { asker: hubItself }, timeOf(before))
    return (job) => {
      expect(resumed).toBe(isApt(job))
      if (!resumed) return
      job.isPaused = false
      job.deadlineAt = before.now + job.windowLeft
      job.pauseEndsAt = Number.POSITIVE_INFINITY
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
      sql`update chunks set status = ${to} where job_key = ${key} and chunk_no = ${chunkNo} and status = ${from}`,
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
