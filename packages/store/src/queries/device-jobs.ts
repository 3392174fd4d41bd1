import { type DeviceJobStatus, deviceJobStatuses } from '@muster/contract'
import { compileCondition, type Expression } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { fillPage, type NextRows } from '../postgres/fill-page.ts'
import { foreignPosition, type Page, type QueryPageRequest } from '../postgres/page.ts'
import { type Search, withinQueryTime } from '../postgres/query-time.ts'
import { type Db, embed, texts } from '../postgres/sql.ts'
import { requiredTexts } from './condition-texts.ts'
import {
  chunksByStatus,
  type DeviceJobRow,
  deviceJobColumns,
  deviceJobMembers,
  deviceJobRows,
  deviceJobTexts,
  planByChunk,
  shownColumns,
} from './device-job-rows.ts'

/**
 * The device jobs that a condition selects, of every job whose target set is frozen; `null` selects all. Ordered by the week
 * in which the job started, then by job, then by device id, which is the order of the chunks.
 * @throws HubError GatewayTimeout when the search takes too long, ArgumentInvalid for a position of no page
 */
export async function queryDeviceJobs(db: Db, where: Expression | null, request: QueryPageRequest): Promise<Page> {
  return withinQueryTime(db, (search) => searchDeviceJobs(search, where, request))
}

/** The same inside a query that reads more. It changes the settings of the planner: what is read after it should be small. */
export async function searchDeviceJobs(
  search: Search,
  where: Expression | null,
  { limit, after, write }: QueryPageRequest,
): Promise<Page> {
  const start = after === null ? firstPosition : parsePosition(after)
  return fillPage(search, limit, {
    parts: batches(search, where, start),
    size: sql`coalesce(octet_length(response), 0) + coalesce(octet_length(method), 0)
              + coalesce(octet_length(attempts::text), 0)`,
    write: (row) => write(deviceJobMembers(row), deviceJobTexts(row)),
    placeOf: formatPosition,
  })
}

/** In chunks: one has up to 500 device jobs, five pages of the default size. */
const firstBatch = 2
const largestBatch = 2048

/**
 * Walks along the chunks, in batches that grow while they yield too little for the page. A single statement could do it, but may not
 * stop early: in the worst case it makes and sorts all rows of a job.
 */
async function* batches(
  search: Search,
  where: Expression | null,
  start: Position,
): AsyncGenerator<NextRows<DeviceJobRow>> {
  const { sql: condition } = compileCondition(where, deviceJobColumns)
  const statuses = requiredStatuses(where)
  const isWanted = await candidates(search, where, statuses)
  await search(planByChunk)
  let from = start
  for (let batch = firstBatch; ; batch = Math.min(batch * 4, largestBatch)) {
    const chunks = await nextChunks(search, isWanted, from, batch)
    const end = chunks.at(-1)
    if (end === undefined) return
    const first = from
    yield (last, count) => {
      const { week, job_key, chunk_no, device_id } = last ?? first
      const isInBatch = sql`${isWanted} and (${chunkKey}) between ${chunkKeyOf(last ?? first)} and ${chunkKeyOf(end)}
        and c.week between ${week}::date and ${end.week}::date`
      return sql`
        select ${shownColumns}
          from (${deviceJobRows(isInBatch, statuses)}) as device_job
         where ${embed(condition)}
           and (${position}) > (${week}::date, ${job_key}::bigint, ${chunk_no}::int, ${device_id}::text)
         order by ${position}
         limit ${count}`
    }
    if (chunks.length < batch) return
    from = { ...end, device_id: endOfChunk }
  }
}

/** The bounds of the partitions are separate conditions, because a comparison of whole keys leaves no partition out. */
async function nextChunks(search: Search, isWanted: SQL, from: Position, limit: number): Promise<ChunkPosition[]> {
  return search<ChunkPosition>(sql`
    select week::text, job_key::text, chunk_no
      from chunks c
     where ${isWanted}
       and (${chunkKey}) >= ${chunkKeyOf(from)} and c.week >= ${from.week}::date
     order by ${chunkKey}
     limit ${limit}`)
}

/** A predicate on `chunks c` that leaves out those without a device that the condition can select. */
async function candidates(
  search: Search,
  where: Expression | null,
  statuses: readonly DeviceJobStatus[] | null,
): Promise<SQL> {
  const predicates = [await ofJobs(search, requiredTexts(where, 'jobId'), requiredTexts(where, 'jobType'))]
  const deviceIds = requiredTexts(where, 'deviceId')
  if (deviceIds !== null) {
    predicates.push(sql`exists (
      select from unnest(${texts([...deviceIds])}) as id
       where id collate "C" between c.device_ids[1] and c.device_ids[c.device_count])`)
  }
  if (statuses !== null) {
    predicates.push(sql`(${sql.join([sql`false`, ...statuses.map((status) => chunksByStatus[status])], sql` or `)})`)
  }
  return sql.join(predicates, sql` and `)
}

/** Null: the condition may select any. */
function requiredStatuses(where: Expression | null): readonly DeviceJobStatus[] | null {
  const wanted = requiredTexts(where, 'status')
  return wanted === null ? null : deviceJobStatuses.filter((status) => wanted.has(status))
}

/** Looked up first, so that their keys and partitions are known when the chunks are planned. */
async function ofJobs(
  search: Search,
  jobIds: ReadonlySet<string> | null,
  types: ReadonlySet<string> | null,
): Promise<SQL> {
  if (jobIds === null && types === null) return sql`true`
  const found = await search<{ job_key: string; week: string }>(sql`
    select job_key::text, week::text
      from jobs
     where week is not null
       and ${jobIds === null ? sql`true` : sql`job_id = any(${texts([...jobIds])})`}
       and ${types === null ? sql`true` : sql`type = any(${texts([...types])})`}`)
  const weeks = texts([...new Set(found.map(({ week }) => week))])
  const keys = texts(found.map(({ job_key }) => job_key))
  return sql`c.week = any(${weeks}::date[]) and c.job_key = any(${keys}::bigint[])`
}

interface ChunkPosition extends Record<string, unknown> {
  readonly week: string
  readonly job_key: string
  readonly chunk_no: number
}

/** The place of a device job in the order. */
interface Position extends ChunkPosition {
  readonly device_id: string
}

const firstPosition: Position = { week: '0001-01-01', job_key: '0', chunk_no: 0, device_id: '' }
/** After every device id: all their characters come before it. */
const endOfChunk = '~'

// Qualified, because in `order by` a bare name is the column of the output, which is text: 10 before 9.
const chunkKey = sql.raw('c.week, c.job_key, c.chunk_no')
const position = sql.raw('device_job.week, device_job.job_key, device_job.chunk_no, device_job.device_id')

function chunkKeyOf({ week, job_key, chunk_no }: ChunkPosition): SQL {
  return sql`(${week}::date, ${job_key}::bigint, ${chunk_no}::int)`
}

function formatPosition({ week, job_key, chunk_no, device_id }: Position): string {
  return [week, job_key, chunk_no, device_id].join('/')
}

const positionPattern = /^(\d{4}-\d{2}-\d{2})\/(\d{1,18})\/(\d{1,9})\/([^/]+)$/

function parsePosition(text: string): Position {
  const [, week, jobKey, chunkNo, deviceId] = positionPattern.exec(text) ?? []
  if (week === undefined || jobKey === undefined || deviceId === undefined) {
    throw foreignPosition()
  }
  return { week, job_key: jobKey, chunk_no: Number(chunkNo), device_id: deviceId }
}
