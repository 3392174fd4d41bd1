import type { Json, JsonObject } from '@muster/contract'
import {
  aggregate,
  compileCondition,
  compileGrouping,
  type Expression,
  evaluate,
  type Grouping,
  groupRow,
  parseQuery,
  type SqlValue,
} from '@muster/query'
import { canonicalJson } from '@muster/testkit'
import fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, expect, inject, it } from 'vitest'
import { groupingsOver } from './arbitrary-grouping.ts'
import { columns, documentOf, recordType, type TwinRow, twins } from './arbitrary-twin.ts'
import { numbered } from './statement.ts'

const cases = Math.ceil((Number(process.env.MUSTER_TEST_DIFFERENTIAL_CASES) || 20_000) / 10)
const queriesPerStatement = 20

const database = postgres(inject('databaseUrl'), { max: 1, onnotice: () => {} })
afterAll(() => database.end())

it('Q16 Q23 Q24 Q25 Q26 the SQL of groups yields the rows that the reference makes, each with a place of its own', async () => {
  let [several, all] = [0, 0]
  const property = fc.asyncProperty(twinsWithQueries, async ([rows, texts]) => {
    const queries = texts.map(read)
    const expected = queries.map((query) => reference(query, rows))
    expect(await answers(queries, rows)).toEqual(expected)

    several += expected.filter(({ answer }) => answer.length > 1).length
    all += texts.length
  })
  while (all < cases) await fc.assert(property, { numRuns: Math.ceil((cases - all) / queriesPerStatement) })

  const share = Math.round((100 * several) / all)
  process.stdout.write(`${all} random aggregate queries; ${share} % have several groups\n`)
  expect(share).toBeGreaterThan(20)
}, 3_600_000)

const twinsWithQueries = twins.chain((rows) => {
  const query = groupingsOver(rows.map(documentOf))
  return fc.tuple(fc.constant(rows), fc.array(query, { minLength: 1, maxLength: queriesPerStatement, size: 'max' }))
})

interface GroupQuery {
  readonly text: string
  readonly grouping: Grouping
  readonly where: Expression | null
}

function read(text: string): GroupQuery {
  const { select, where } = parseQuery(text)
  if (select.kind !== 'grouping') throw new Error(`no groups: ${text}`)
  return { text, grouping: select, where }
}

interface Answer {
  readonly text: string
  /** The rows as JSON, in an order of their own. */
  readonly answer: readonly string[]
}

function reference({ text, grouping, where }: GroupQuery, rows: readonly TwinRow[]): Answer {
  const members = rows.map(documentOf).filter((document) => evaluate(where, document))
  return { text, answer: ordered(aggregate(grouping, members)) }
}

interface GroupRow {
  readonly index: number
  readonly key: readonly (readonly Json[])[]
  readonly values: readonly Json[]
  readonly place: string
}

/** Of all queries in one statement, over twins that are a parameter of it. */
async function answers(queries: readonly GroupQuery[], rows: readonly TwinRow[]): Promise<readonly Answer[]> {
  const values: SqlValue[] = [JSON.stringify(rows)]
  const selects = queries.map(({ grouping, where }, index) => {
    const { row, groupBy, group, place } = compileGrouping(grouping, columns)
    const parts = {
      place: numbered(place, values),
      group: numbered(group, values),
      row: numbered(row, values),
      where: numbered(compileCondition(where, columns).sql, values),
      groupBy: groupBy === null ? '' : `group by ${numbered(groupBy, values)}`,
    }
    return `
      select ${index} as index, key, values, (${parts.place})::text as place
        from (select ${parts.group} from (select ${parts.row} from twin where ${parts.where}) as member ${parts.groupBy}) as grouped`
  })
  const statement = `
    with twin as materialized (select * from jsonb_to_recordset($1::text::jsonb) as row${recordType})
    ${selects.join(' union all ')}`
  const found = await database.unsafe<GroupRow[]>(statement, values as string[])
  return queries.map(({ text, grouping }, index) => {
    const groups = found.filter((row) => row.index === index)
    const places = new Set(groups.map(({ place }) => place))
    expect(places.size, `the places of the groups of ${text}`).toBe(groups.length)
    return { text, answer: ordered(groups.map(({ key, values: told }) => groupRow(grouping, key, told))) }
  })
}

/** jsonb keeps no order of the members of an object; those of a row are in that of the select list. */
function ordered(rows: readonly JsonObject[]): readonly string[] {
  return rows.map((row) => canonicalJson(Object.entries(row))).sort()
}
