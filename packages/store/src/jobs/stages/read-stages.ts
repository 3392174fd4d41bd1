import { type DeviceJobStatistics, isTerminal } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'
import { toStatistics } from '../statistics.ts'
import { type GateState, stateOfGate } from './gate.ts'
import { gatedStage, readStagedJob, type StagedJob, type StageRow } from './stage-rows.ts'

/** A stage of a job, as its reads show it. */
export interface Stage {
  readonly stageNo: number
  /** `closed`: the next one has opened, or the job has ended. Devices of it may still be open. */
  readonly status: 'waiting' | 'open' | 'closed'
  readonly openedAt: Date | null
  readonly closedAt: Date | null
  /** Why it opened. Null: with the start of the job, or not yet. */
  readonly reason: string | null
  /** What the gate behind it waits for. Null: it is not the last open one, or no stage follows. */
  readonly waitsFor: GateState | null
  readonly statistics: DeviceJobStatistics
}

/** The stages of a job, in one snapshot; none before its target set is frozen. Null: there is no such job. */
export async function readStages(db: Db, jobId: string, now: Date): Promise<readonly Stage[] | null> {
  const job = await readStagedJob(db, sql`job_id = ${jobId}`, sql`true`)
  if (job !== null) return job.stages.map((stage) => toStage(job, stage, now))
  const found = await rows(db, sql`select job_key from jobs where job_id = ${jobId}`)
  return found.length === 0 ? null : []
}

function toStage(job: StagedJob, stage: StageRow, now: Date): Stage {
  const { stageNo, openedAt, reason, deviceCount, succeeded, failed, running, canceled, skipped } = stage
  const closedAt = stage.closedAt ?? job.endTime
  return {
    stageNo,
    status: closedAt !== null ? 'closed' : openedAt === null ? 'waiting' : 'open',
    openedAt,
    closedAt,
    reason,
    waitsFor: stageNo === job.openStage && !isTerminal(job.status) ? waitOf(job, now) : null,
    statistics: toStatistics([deviceCount, succeeded, failed, running, canceled, skipped]),
  }
}

/** What the gate behind the open stage waits for. While the job is paused a soak stands still: it ends so much later. */
export function waitOf(job: StagedJob, now: Date): GateState | null {
  const stage = gatedStage(job)
  if (stage === null) return null
  const pausedMs = job.pausedAt === null ? 0 : now.getTime() - job.pausedAt.getTime()
  const state = stateOfGate(stage, new Date(now.getTime() - pausedMs))
  return state.kind === 'soak' ? { ...state, until: new Date(state.until.getTime() + pausedMs) } : state
}
