import type { DeviceError, ErrorName, Job } from '@muster/contract'
import { jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { claim, claimed, givenJob, noon, recordFirstAttempts, start } from '../engine.ts'

type Extensions = NonNullable<Parameters<typeof givenJob>[1]>['extensions']
type Rollout = NonNullable<NonNullable<Extensions>['rollout']>
type Target = NonNullable<Parameters<typeof givenJob>[1]>

/** A job with stages that has started at noon. */
export async function givenStagedJob(
  db: Db,
  rollout: Rollout,
  { chunkSize = 100, ...request }: Target & { readonly chunkSize?: number } = {},
): Promise<Job> {
  const extensions = { ...request.extensions, rollout }
  const job = await givenJob(db, { ...request, extensions })
  await start(db, job.key, { chunkSize })
  return job
}

/** The devices of each stage, in the order of their ids. */
export async function devicesByStage(db: Db, { key }: Job): Promise<readonly (readonly string[])[]> {
  const found = await rows<{ ids: string[] }>(
    db,
    sql`
    select array(
             select id from chunks c cross join lateral unnest(c.device_ids) as id
              where c.job_key = s.job_key and c.stage_no = s.stage_no
              order by chunk_no, id collate "C") as ids
      from stages s
     where job_key = ${key}
     order by stage_no`,
  )
  return found.map(({ ids }) => ids)
}

/** Stages as the table has them. */
export async function stageRows(db: Db, { key }: Job) {
  return rows<{
    device_count: number
    opened_at: string | null
    closed_at: string | null
    reason: string | null
    met_at: string | null
  }>(
    db,
    sql`
    select device_count, opened_at::text, closed_at::text, reason, met_at::text
      from stages where job_key = ${key} order by stage_no`,
  )
}

/** What becomes of the devices that are worked off. */
export interface Work {
  /** So many fail, each with one of the codes in turn. The others succeed. */
  readonly fail?: number
  readonly codes?: readonly ErrorName[]
  /** No more devices than these, in whole chunks. */
  readonly most?: number
}

/** Claims everything that may be claimed, and records what becomes of it. */
export async function workOff(
  db: Db,
  job: Job,
  { fail = 0, codes = ['GatewayTimeout'], most = Number.POSITIVE_INFINITY }: Work = {},
): Promise<readonly string[]> {
  const worked: string[] = []
  while (worked.length < most) {
    const chunk = await claim(db, job.key)
    if (chunk === null) break
    const outcomes = chunk.deviceIds.map((deviceId, index) => {
      const no = worked.length + index
      return no < fail ? failedWith(deviceId, codes[no % codes.length] ?? 'GatewayTimeout') : succeeded(deviceId)
    })
    await recordFirstAttempts(db, chunk, outcomes, noon)
    worked.push(...chunk.deviceIds)
  }
  return worked
}

/** Claims a chunk and lets its devices succeed. */
export async function workOffOne(db: Db, job: Job): Promise<void> {
  const chunk = await claimed(db, job.key)
  await recordFirstAttempts(db, chunk, chunk.deviceIds.map(succeeded), noon)
}

function succeeded(deviceId: string) {
  return { deviceId, status: 'completed', response: jsonText({ status: 200, payload: null }) } as const
}

function failedWith(deviceId: string, code: DeviceError['code']) {
  return { deviceId, status: 'failed', error: { code, description: 'it did not work' } } as const
}

/** The events of a job of some kinds: what each tells. */
export async function eventsOf(db: Db, { key }: Job, kinds: readonly string[]): Promise<unknown[]> {
  const events = await rows<{ kind: string; actor: string | null; fields: Record<string, unknown> }>(
    db,
    sql`select kind, actor, fields from job_events where job_key = ${key} order by event_no`,
  )
  return events
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ kind, actor, fields }) => ({ kind, actor, ...fields }))
}
