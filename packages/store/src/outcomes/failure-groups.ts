import type { Search } from '../postgres/query-time.ts'
import { hashBound, noHash } from './device-hash.ts'
import type { FrozenJob } from './found-job.ts'
import { countOwnCodes, countOwnFailures, type SampledFailure, sampleOwnFailures } from './own-failures.ts'
import { countRestErrors } from './rest-failures.ts'

/** The largest groups of failures, and how many devices failed in how many groups beside them. */
export interface FailureGroups {
  readonly groups: readonly SampledFailure[]
  readonly others: { readonly groupCount: number; readonly deviceCount: number }
}

/** So many ids come with the counts at most, of all groups together. */
const sampledDevices = 20_000
/** A group of more devices has at least about so many in its sample, and a group of fewer has all. */
const leastSample = 100

/** Exact counts of the devices that failed, by code and text, the most first. At most `limit` groups, each with a sample. */
export async function groupFailures(search: Search, job: FrozenJob, limit: number): Promise<FailureGroups> {
  const { failedCount } = job.statistics
  const bound = hashBound(sampledDevices, failedCount)
  const rest = await countRestErrors(search, job, { rest: 'expired', bound })
  const hasOwn = failedCount > sumOf(rest)
  const { groupCount, largest } = hasOwn ? await countOwnFailures(search, job, { limit, bound }) : noOwn
  const all = [...(await withFullSamples(search, job, largest)), ...rest].toSorted(
    (one, other) => other.count - one.count,
  )
  const groups = all.slice(0, limit)
  const others = { groupCount: groupCount + rest.length - groups.length, deviceCount: failedCount - sumOf(groups) }
  return { groups, others }
}

const noOwn = { groupCount: 0, largest: [] }

/**
 * Exact counts of the devices that have an error, by code. Beside those that failed, canceled and skipped ones that may have been called have
 * one.
 */
export async function countErrorCodes(search: Search, job: FrozenJob): Promise<Readonly<Record<string, number>>> {
  const expired = await countRestErrors(search, job, { rest: 'expired', bound: noHash })
  const canceled = await countRestErrors(search, job, { rest: 'canceled', bound: noHash })
  const { failedCount, canceledCount, skippedCount = 0 } = job.statistics
  const hasOwn = failedCount > sumOf(expired) || canceledCount + skippedCount > 0
  const own = hasOwn ? await countOwnCodes(search, job) : []
  const counts = new Map<string, number>()
  for (const { code, count } of [...own, ...expired, ...canceled]) counts.set(code, (counts.get(code) ?? 0) + count)
  return Object.fromEntries([...counts].toSorted(([, one], [, other]) => other - one))
}

/** One scan draws the same part of every group: too little of a small one, which is then drawn by itself. */
async function withFullSamples(
  search: Search,
  job: FrozenJob,
  own: readonly SampledFailure[],
): Promise<readonly SampledFailure[]> {
  const isShort = ({ count, sample }: SampledFailure) => sample.length < Math.min(count, leastSample)
  const short = own.filter(isShort)
  if (short.length === 0) return own
  return [...own.filter((one) => !isShort(one)), ...(await sampleOwnFailures(search, job, short, leastSample))]
}

function sumOf(failures: readonly SampledFailure[]): number {
  return failures.reduce((sum, { count }) => sum + count, 0)
}
