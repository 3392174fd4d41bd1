import {
  type Extensions,
  HubError,
  type Job,
  type JobId,
  type JobStatus,
  jobKey,
  limits,
  storedJobId,
} from '@muster/contract'
import { parseCondition } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { isStatementTimeout } from '../../postgres/database-error.ts'
import { type Db, rows } from '../../postgres/sql.ts'
import type { Asker } from '../job-events.ts'
import { insertJob, readJob } from '../jobs.ts'
import { matchingDevices } from '../start/target-devices.ts'
import { type DeviceSelection, planFor, selectedDevices } from './device-selection.ts'

export interface RerunRequest {
  /** Null: that of the parent, with a number. */
  readonly jobId: JobId | null
  /** Of the devices that have ended. */
  readonly selection: DeviceSelection
  /** Leaves out the devices that do not match the condition of the parent any more, or do not exist any more. */
  readonly requery: boolean
  readonly startTime: Date | null
  readonly asker: Asker
  readonly traceparent: string | null
}

export type Rerun =
  | { readonly kind: 'created'; readonly job: Job }
  /** No device is as it is wanted. */
  | { readonly kind: 'nothing' }
  /** There is a job of the wanted id. */
  | { readonly kind: 'taken' }
  /** The parent has not ended. */
  | { readonly kind: 'open'; readonly status: JobStatus }
  | { readonly kind: 'missing' }

const statementSeconds = 30

/**
 * Creates a job that does again what an ended one has done, on the selected devices of that one, with its body, its window and its
 * extensions. The ended one stays as it is.
 * @throws HubError GatewayTimeout when it takes too long; ArgumentInvalid when no id is given, and the one that follows is too long
 */
export async function rerunJob(db: Db, parentJobId: string, request: RerunRequest, now: Date): Promise<Rerun> {
  const { jobId } = request
  if (jobId !== null) return rerunAs(db, parentJobId, { ...request, jobId }, now)
  for (let tries = 0; tries < triesMax; tries += 1) {
    const free = await nextRerunId(db, parentJobId)
    const rerun = await rerunAs(db, parentJobId, { ...request, jobId: free }, now)
    // Somebody has made a job of this id meanwhile.
    if (rerun.kind !== 'taken') return rerun
  }
  return { kind: 'taken' }
}

/** Of many who rerun a job at once, each gets an id after the others. */
const triesMax = 20

async function nextRerunId(db: Db, parentJobId: string): Promise<JobId> {
  const prefix = `${parentJobId}-rerun-`
  const [free] = await rows<{ no: number }>(
    db,
    sql`
    select no
      from generate_series(1, 100000) as no
     where (select true from jobs where job_id = ${prefix} || no) is null
     order by no
     limit 1`,
  )
  const jobId = `${prefix}${free?.no ?? 0}`
  if (jobId.length <= limits.jobIdLength) return storedJobId(jobId)
  throw new HubError('ArgumentInvalid', {
    message: `jobId is missing, and ${jobId} would have ${jobId.length} characters; at most ${limits.jobIdLength} are allowed: give a jobId`,
  })
}

/** Undoes a rerun. */
class NothingMatches extends Error {
  override readonly name = 'NothingMatches'
}

async function rerunAs(
  db: Db,
  parentJobId: string,
  request: RerunRequest & { readonly jobId: JobId },
  now: Date,
): Promise<Rerun> {
  try {
    return await briefly(db, (tx) => rerun(tx, parentJobId, request, now), {
      settings: { statement_timeout: statementSeconds * 1000, jit: 'off', work_mem: '32MB' },
    })
  } catch (cause) {
    if (cause instanceof NothingMatches) return { kind: 'nothing' }
    if (!isStatementTimeout(cause)) throw cause
    const message = `the devices were not found within ${statementSeconds} seconds; name fewer devices`
    throw new HubError('GatewayTimeout', { message, cause })
  }
}

async function rerun(
  tx: Db,
  parentJobId: string,
  request: RerunRequest & { readonly jobId: JobId },
  now: Date,
): Promise<Rerun> {
  const found = await keepParent(tx, parentJobId)
  const parent = await readJob(tx, parentJobId)
  if (found === null || parent === null) return { kind: 'missing' }
  if (parent.endTime === null) return { kind: 'open', status: parent.status }
  const { week } = found
  if (week === null) return { kind: 'nothing' }

  const { type, body, maxExecutionTimeInSeconds } = parent
  const { jobId, startTime, asker, traceparent } = request
  const devices = devicesOf({ ...found, week }, request)
  await planFor(tx, request.selection)
  const target = { kind: 'rerun', parentKey: jobKey(found.key), parentJobId, devices } as const
  const copy = { type, body, extensions: ofFixedTarget(parent.extensions), maxExecutionTimeInSeconds }
  const job = await insertJob(tx, { ...copy, jobId, target, queryCondition: '', startTime, asker, traceparent }, now)
  if (job === null) return { kind: 'taken' }
  if (job.queryCondition === '') throw new NothingMatches()
  return { kind: 'created', job }
}

/** A rerun is for certain devices: nothing joins it, whatever joined the first one. */
function ofFixedTarget({ targetSelection, maxDevices, ...others }: Extensions): Extensions {
  return others
}

/** Keeps the history of the job from being purged before the end of the transaction. */
async function keepParent(tx: Db, jobId: string) {
  const [parent] = await rows<{ key: string; week: string | null; query_condition: string; is_listed: boolean }>(
    tx,
    sql`
    select job_key::text as key, week::text, query_condition, target_ids is not null as is_listed
      from jobs
     where job_id = ${jobId}
       for key share`,
  )
  return parent ?? null
}

interface Parent {
  readonly key: string
  readonly week: string
  readonly query_condition: string
  readonly is_listed: boolean
}

function devicesOf(parent: Parent, { selection, requery }: RerunRequest): SQL {
  const selected = selectedDevices(parent, selection)
  if (!requery) return selected
  const present = parent.is_listed
    ? sql`select device_id from twins`
    : sql`select device_id from (${matchingDevices(parseCondition(parent.query_condition))}) as matching`
  return sql`select device_id from (${selected}) as selected where device_id in (${present})`
}
