import type { Json } from '@muster/contract'
import { sql } from 'drizzle-orm'
import type { Search } from '../postgres/query-time.ts'
import { texts } from '../postgres/sql.ts'
import type { TagPath } from './tag-paths.ts'

/** A value of a tag that more devices of a group have than the target set would lead one to expect. */
export interface TagShare {
  readonly path: TagPath
  readonly value: Json
  /** Of the sampled devices of the group. */
  readonly count: number
  /** Of the sampled devices of the group, 0 to 1. */
  readonly share: number
  /** The same for the target set. */
  readonly targetShare: number
  /** `share / targetShare`. */
  readonly lift: number
}

/** Of fewer devices, a smaller part of the group, or below this lift, a value explains nothing. */
const leastCount = 5
const leastShare = 0.02
const leastLift = 1.5
/** A count is above what one would expect by so many standard deviations: by chance, one value in about a thousand is. */
const leastDeviations = 3

const sharesPerGroup = 10

/** A group of failures: of its `count` devices, `sample` is known. */
export interface SampledGroup {
  readonly count: number
  readonly sample: readonly string[]
}

/**
 * The values of tags that are over-represented in each group, those first that more devices than expected have. A device without the
 * tag has no value. The tags are those that the twins have now, and not when the job started.
 */
export async function findTagShares(
  search: Search,
  paths: readonly TagPath[],
  target: SampledGroup,
  groups: readonly SampledGroup[],
): Promise<readonly (readonly TagShare[])[]> {
  const rows = await countValues(search, paths, [target, ...groups])
  return groups.map((group, index) =>
    rows
      .filter((row) => row.group === index + 1)
      .map((row) => shareOf(row, group, target))
      .filter(({ share, lift, isByChance }) => share >= leastShare && lift >= leastLift && !isByChance)
      .toSorted((one, other) => other.excess - one.excess)
      .slice(0, sharesPerGroup)
      .map(({ isByChance, excess, ...share }) => share),
  )
}

interface ValueCount {
  readonly group: number
  readonly path: TagPath
  readonly value: Json
  readonly count: number
  /** In the sample of group 0. */
  readonly targetCount: number
}

/**
 * Each value with its count, in each group but the first. A lateral subquery with OFFSET looks up one twin after the other, whatever
 * the planner thinks of their number; and tags that are stored compressed are unpacked once, and not for each path.
 */
async function countValues(
  search: Search,
  paths: readonly TagPath[],
  groups: readonly SampledGroup[],
): Promise<readonly ValueCount[]> {
  const ids = groups.flatMap(({ sample }) => sample)
  const numbers = groups.flatMap(({ sample }, number) => sample.map(() => number))
  return search<ValueCount & Record<string, unknown>>(sql`
    with sampled as (
      select sample.no, twin.tags
        from unnest(${texts(ids)}, ${sql.param(numbers)}::int[]) as sample (device_id, no)
       cross join lateral (select tags || '{}' as tags from twins where device_id = sample.device_id offset 0) as twin),
    valued as (
      select no, path, tags #> string_to_array(path, '.') as value
        from sampled cross join unnest(${texts(paths)}) as path),
    counted as materialized (
      select path, value, no, count(*)::int as count
        from valued
       where jsonb_typeof(value) in ('string', 'number', 'boolean')
       group by path, value, no)
    select one.no as group, one.path, one.value, one.count, coalesce(target.count, 0) as "targetCount"
      from counted as one
      left join counted as target on target.no = 0 and target.path = one.path and target.value = one.value
     where one.no > 0 and one.count >= ${leastCount}
     order by one.no, one.path, one.value`)
}

/** The target set has at least the devices of the group, also where its sample has none of them. */
function shareOf({ path, value, count, targetCount }: ValueCount, group: SampledGroup, target: SampledGroup) {
  const share = count / group.sample.length
  const targetShare = Math.max(targetCount / target.sample.length, (share * group.count) / target.count)
  const expected = targetShare * group.sample.length
  const excess = count - expected
  // The target set is a sample, too.
  const deviation = Math.sqrt(expected * (1 + group.sample.length / target.sample.length))
  const isByChance = excess < leastDeviations * deviation
  return { path, value, count, share, targetShare, lift: share / targetShare, excess, isByChance }
}
