import type { Json } from '@muster/contract'
import { compileGrouping, type Expression, type Grouping, groupRow } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { fillPage } from '../postgres/fill-page.ts'
import { foreignPosition, type Page, type PageRequest, type WrittenPageRequest } from '../postgres/page.ts'
import { withinQueryTime } from '../postgres/query-time.ts'
import { type Db, embed } from '../postgres/sql.ts'
import { type TwinSource, twinsWhere } from './twin-sources.ts'

/** The groups of the twins that a condition selects; `where: null` is all of them. */
export interface GroupQuery {
  readonly grouping: Grouping
  readonly where: Expression | null
}

/**
 * A row per group, in the order of the keys. Every page counts anew, so its numbers are those of its time.
 * @throws HubError GatewayTimeout when the search takes too long, ArgumentInvalid for a position of no page
 */
export async function queryGroups(
  db: Db,
  source: TwinSource,
  query: GroupQuery,
  { limit, after, write }: WrittenPageRequest,
): Promise<Page> {
  if (after !== null && !isJson(after)) throw foreignPosition()
  return withinQueryTime(db, async (search) => {
    await search(planByHash)
    return fillPage<GroupRow>(search, limit, {
      parts: [(last, count) => selectGroups(source, query, { limit: count, after: last?.place ?? after })],
      size: sql`pg_column_size(key) + pg_column_size(values)`,
      write: ({ key, values }) => write(groupRow(query.grouping, key, values)),
      placeOf: ({ place }) => place,
      // To find some groups, Postgres makes all of them.
      atOnce: limit + 1,
    })
  })
}

/**
 * For the rest of the transaction. The planner cannot know how many groups there are: it assumes as many values of a member as rows,
 * and would sort all rows.
 */
export const planByHash: SQL = sql`select set_config('enable_sort', 'off', true)`

interface GroupRow extends Record<string, unknown> {
  readonly key: readonly (readonly Json[])[]
  readonly values: readonly Json[]
  readonly place: string
}

function selectGroups(source: TwinSource, { grouping, where }: GroupQuery, { limit, after }: PageRequest): SQL {
  const { row, group, groupBy, place, roots } = compileGrouping(grouping, source.columns)
  return sql`
    select key, values, place::text
      from (select grouped.*, ${embed(place)} as place
              from (select ${embed(group)}
                      from (select ${embed(row)} ${twinsWhere(source, where, roots)}) as member
                    ${groupBy === null ? sql`` : sql`group by ${embed(groupBy)}`}) as grouped) as placed
     where ${after === null ? sql`true` : sql`place > ${after}::text::jsonb`}
     order by placed.place
     limit ${limit}`
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
