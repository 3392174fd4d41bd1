import { type StageOrder, type StageRequest, shareOf } from '@muster/contract'
import { compileCondition, type Expression } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { embed, texts } from '../../postgres/sql.ts'
import { deviceColumns } from '../../queries/twin-columns.ts'

/** A stage of a job that is about to start. `where`: its condition; absent: it has none. Null: every device. */
interface StagePlan {
  readonly stage: StageRequest
  readonly where?: Expression | null
}

/** How the devices of a target are divided. `seed`: of the random order, the same whenever the job is started. */
export interface Division {
  readonly stages: readonly StagePlan[]
  readonly order: StageOrder
  readonly seed: string
}

/**
 * Parts of a statement, the last of which is `sliced`: the devices of `target`, each with its stage and with the number of its slice in that
 * stage, where it stands in the order of the ids. A device goes to the first stage whose condition it meets. Of the others, each stage with
 * a size takes the first in the order of the job, and the last stage takes the rest. A share is of the whole target.
 */
export function slicedByStage({ stages, order, seed }: Division, chunkSize: number): SQL {
  const sizes = stages.slice(0, -1).flatMap(({ stage }, no) => {
    if (stage.size === undefined) return []
    return [{ no, share: shareOf(stage), count: typeof stage.size === 'number' ? stage.size : null }]
  })
  return sql`
    placed as (
      select target.device_id, target.generation_no, ${conditionStage(stages)} as stage_no, ${placeIn(order, seed)} as place
        from target
        left join twins t on t.device_id = target.device_id
        left join devices d on d.device_id = t.device_id
        left join sessions s on s.device_id = t.device_id),
    sizes as materialized (
      select array_agg(no order by no) as nos, array_agg(up_to order by no) as bounds
        from (select no, sum(coalesce(count, greatest(1, round(total * share / 100)))) over (order by no)::bigint as up_to
                from json_to_recordset(${JSON.stringify(sizes)}::json) as size (no int, share numeric, count bigint),
                     (select count(*) as total from target) as counted) as summed),
    numbered as (
      select device_id, generation_no, stage_no,
             row_number() over (partition by stage_no is null order by place nulls last, device_id) - 1 as nth
        from placed),
    staged as (
      select device_id, generation_no,
             coalesce(stage_no, nos[1 + width_bucket(nth, bounds)], ${stages.length - 1}::int) as stage_no
        from numbered cross join sizes),
    sliced as (
      select device_id, generation_no, stage_no,
             (row_number() over (partition by stage_no order by device_id) - 1) / ${chunkSize}::int as slice_no
        from staged)`
}

/** The same for a job without stages: all devices are in the first. */
export function slicedAsOne(chunkSize: number): SQL {
  return sql`
    sliced as (
      select device_id, generation_no, 0 as stage_no,
             (row_number() over (order by device_id) - 1) / ${chunkSize}::int as slice_no
        from target)`
}

/** Null: no stage has a condition that the device meets. A device that is not registered meets none. */
function conditionStage(stages: readonly StagePlan[]): SQL {
  const cases = stages.flatMap(({ where }, no) =>
    where === undefined
      ? []
      : [sql`when t.device_id is not null and ${embed(compileCondition(where, deviceColumns).sql)} then ${no}::int`],
  )
  return cases.length === 0 ? sql`null::int` : sql`case ${sql.join(cases, sql` `)} end`
}

/** Devices without the tag come last. */
function placeIn(order: StageOrder, seed: string): SQL {
  if (order === 'id') return sql`null::int`
  if (order === 'random') return sql`hashtextextended(target.device_id, ${seed}::bigint)`
  return sql`t.tags #> ${texts(order.tag.split('.').slice(1))}`
}
