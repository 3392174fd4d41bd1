import { aggregates } from '../functions/aggregates.ts'
import type { GroupAggregate, Grouping, Path } from '../language/ast.ts'
import { pathText } from '../language/members.ts'
import type { Columns } from '../operands/columns.ts'
import { join, type SqlFragment, sql, trusted } from '../operands/fragment.ts'
import { jsonOf } from '../operands/operand.ts'
import { operandOfPath, wholeOf } from './reading.ts'

/**
 * The parts of a statement that yields the groups:
 *
 *     select <group> from (select <row> from ... where <condition> offset 0) as member [group by <groupBy>]
 *
 * OFFSET 0 stops the planner from copying the expressions of a row into every aggregate, which would parse a twin many times.
 * `groupRow` makes the row of the answer from the `key` and `values` of a group.
 */
export interface CompiledGrouping {
  /** The columns of a member. There may be none; Postgres allows that. */
  readonly row: SqlFragment
  /** Null: no GROUP BY, so there is one group, also when there are no members. */
  readonly groupBy: SqlFragment | null
  /**
   * `... as key, ... as values`, both jsonb arrays. `key` has `[]` for each undefined key, else `[value]`, so that null is another
   * group. `values` has the value of each aggregate, in the order of the items.
   */
  readonly group: SqlFragment
  /**
   * The place of a `key` in the order of the groups: a jsonb whose text has at most 512 bytes. It is the same in every statement and
   * different for every group. A page is `where <place> > $after order by <place> limit n`.
   */
  readonly place: SqlFragment
  /** The keys of `columns` that it reads. */
  readonly roots: ReadonlySet<string>
}

/**
 * The SQL of the groups that `aggregate` makes. Rows are grouped by jsonb values as they are; more expensive work is done once for
 * each group. It raises no error, whatever the rows hold.
 */
export function compileGrouping({ keys, items }: Grouping, columns: Columns): CompiledGrouping {
  const reading = { columns, roots: new Set<string>() }
  const aggregateItems = items.filter((item) => item.kind === 'aggregate')
  const operands = distinctOperands(aggregateItems)
  const columnOf = ({ operand }: GroupAggregate) =>
    operand === null ? trusted('*') : value(operands.findIndex((other) => pathText(other) === pathText(operand)))

  const keyColumns = keys.map((path, index) => sql`${wholeOf(path, reading)} as ${key(index)}`)
  const valueColumns = operands.map((path, index) => sql`${jsonOf(operandOfPath(path, reading))} as ${value(index)}`)
  const wrapped = keys.map(
    (_, index) => sql`case when ${key(index)} is null then '[]' else jsonb_build_array(${key(index)}) end`,
  )
  const told = aggregateItems.map((item) => aggregates[item.aggregate].sql(columnOf(item)))
  return {
    row: list([...keyColumns, ...valueColumns]),
    groupBy: keys.length === 0 ? null : list(keys.map((_, index) => key(index))),
    group: sql`jsonb_build_array(${list(wrapped)}) as key, jsonb_build_array(${list(told)}) as values`,
    place,
    roots: reading.roots,
  }
}

const key = (index: number) => trusted(`key${index}`)
const value = (index: number) => trusted(`value${index}`)
const list = (parts: readonly SqlFragment[]) => join(parts, ', ')

function distinctOperands(items: readonly GroupAggregate[]): readonly Path[] {
  const operands = items.map(({ operand }) => operand).filter((operand) => operand !== null)
  return [...new Map(operands.map((operand) => [pathText(operand), operand])).values()]
}

/**
 * The key itself, if its text is short, in the order of jsonb: undefined, null, texts, numbers, false, true, arrays, objects. A longer
 * key may be an object of 32 KB, and would make the position of a page as long. Its digest takes its place, as a jsonb text. jsonb
 * orders texts before arrays, and every other key is an array.
 */
const place = sql`case when octet_length(key::text) <= 512 then key else to_jsonb(encode(sha256(convert_to(key::text, 'UTF8')), 'hex')) end`
