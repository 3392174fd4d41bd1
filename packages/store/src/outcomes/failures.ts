import { sql } from 'drizzle-orm'
import { withinQueryTime } from '../postgres/query-time.ts'
import type { Db } from '../postgres/sql.ts'
import { planByHash } from '../queries/groups.ts'
import { groupFailures } from './failure-groups.ts'
import { findJob } from './found-job.ts'
import type { FailureCount, SampledFailure } from './own-failures.ts'
import { findTagPaths, type TagPath } from './tag-paths.ts'
import { findTagShares, type TagShare } from './tag-shares.ts'
import { sampleTarget } from './target-sample.ts'

/** Why devices of a job failed, and what those have in common. Counts are exact; shares are when the samples are whole. */
export interface Failures {
  readonly deviceCount: number
  readonly failedCount: number
  /** How many devices of the target set the shares are taken from. */
  readonly sampledCount: number
  readonly paths: readonly TagPath[]
  /** The largest first, at most 100. */
  readonly groups: readonly FailureGroup[]
  /** What is in no group here. */
  readonly others: { readonly groupCount: number; readonly deviceCount: number }
}

export interface FailureGroup extends FailureCount {
  readonly sampledCount: number
  /** The first of the sample in the order of their ids, at most 5. */
  readonly sampleDeviceIds: readonly string[]
  readonly overRepresented: readonly TagShare[]
}

/** For the rest of the transaction: 10,000 chunks with some ids each, which 4 MB would not hold. */
const roomForGroups = sql`select set_config('work_mem', '32MB', true)`

const mostGroups = 100
const shownIds = 5
/**
 * The tags of so many devices of the target set are compared with those of so many that failed. To look up all of them takes 0.2 s; a
 * share that is estimated from 5000 devices is right to about 0.01.
 */
const comparedDevices = 5_000
/** The least of these that a group has, where there are many. */
const comparedPerGroup = 100
/** The most tags that are compared, given or found. */
export const mostTagPaths = 20

/**
 * The failures of a job in one snapshot, in bounded time however many there are. `paths`: the tags to compare; null: those that most
 * devices have. Before the target set is frozen there is nothing. Null: there is no such job.
 * @throws HubError GatewayTimeout when it takes too long
 */
export async function readFailures(db: Db, jobId: string, paths: readonly TagPath[] | null): Promise<Failures | null> {
  return withinQueryTime(db, async (search) => {
    const job = await findJob(search, jobId)
    if (job === null) return null
    const { frozen } = job
    if (frozen === null || frozen.statistics.failedCount === 0) return noFailures(frozen?.statistics.deviceCount ?? 0)
    const { deviceCount, failedCount } = frozen.statistics
    await search(planByHash)
    await search(roomForGroups)
    const { groups, others } = await groupFailures(search, frozen, mostGroups)
    const target = { count: deviceCount, sample: await sampleTarget(search, frozen, comparedDevices) }
    const compared = paths ?? (await findTagPaths(search, target.sample, mostTagPaths))
    const sampled = bounded(groups)
    const shares = await findTagShares(search, compared, target, sampled)
    return {
      deviceCount,
      failedCount,
      sampledCount: target.sample.length,
      paths: compared,
      others,
      groups: sampled.map(({ sample, ...group }, index) => ({
        ...group,
        sampledCount: sample.length,
        sampleDeviceIds: sample.toSorted().slice(0, shownIds),
        overRepresented: shares[index] ?? [],
      })),
    }
  })
}

/** All of the samples, or of each its part of `comparedDevices`. A sample begins with the smallest hashes, so that its beginning is one, too. */
function bounded(groups: readonly SampledFailure[]): readonly SampledFailure[] {
  const total = groups.reduce((sum, { sample }) => sum + sample.length, 0)
  if (total <= comparedDevices) return groups
  const most = Math.max(comparedPerGroup, Math.ceil(comparedDevices / groups.length))
  return groups.map((group) => ({ ...group, sample: group.sample.slice(0, most) }))
}

function noFailures(deviceCount: number): Failures {
  const others = { groupCount: 0, deviceCount: 0 }
  return { deviceCount, failedCount: 0, sampledCount: 0, paths: [], groups: [], others }
}
