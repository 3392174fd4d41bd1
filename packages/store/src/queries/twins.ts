import { type Expression, type Projection, project } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { fillPage } from '../postgres/fill-page.ts'
import { foreignPosition, type Page, type PageRequest, type WrittenPageRequest } from '../postgres/page.ts'
import { type Search, withinQueryTime } from '../postgres/query-time.ts'
import { type Db, texts } from '../postgres/sql.ts'
import { selectTwins, type TwinRow, twinDocument } from '../twins/document.ts'
import { requiredTexts } from './condition-texts.ts'
import { isBehind, nextTwinsWhere, type TwinSource, twinsWhere } from './twin-sources.ts'

/** The twins that a condition selects, whole or only the members of a select list. `where: null` selects all. */
export interface TwinQuery {
  readonly where: Expression | null
  readonly projection: Projection | null
}

/**
 * Twins in the order of their source.
 * @throws HubError GatewayTimeout when the search takes too long, ArgumentInvalid for a position of no page
 */
export async function queryTwins(
  db: Db,
  source: TwinSource,
  { where, projection }: TwinQuery,
  { limit, after, write }: WrittenPageRequest,
): Promise<Page> {
  if (after !== null && !source.isKey(after)) throw foreignPosition()
  return withinQueryTime(db, async (search) => {
    const keys = await findKeys(search, source, where, { limit: limit + 1, after })
    return fillPage<TwinRow>(search, limit, {
      parts: [(last, count) => selectNext(source, keys, last, count)],
      size: sizeOfSections,
      write: (row) => {
        const twin = twinDocument(row)
        return write(projection === null ? twin : project(projection, twin))
      },
      placeOf: (row) => row.device_id,
      isSelective: projection !== null,
    })
  })
}

function selectNext(source: TwinSource, keys: readonly string[], last: TwinRow | null, count: number): SQL {
  const from = last === null ? 0 : keys.indexOf(last.device_id) + 1
  const some = texts(keys.slice(from, from + count))
  return sql`${selectTwins} where t.device_id = any(${some}) order by ${source.order}`
}

/** The size of a twin without compression; to concatenate removes it. To make its text would take ten times as long. */
const sizeOfSections = sql.raw(
  ['tags', 'desired', 'desired_metadata', 'reported', 'reported_metadata']
    .map((section) => `pg_column_size(${section} || '{}')`)
    .join(' + '),
)

interface KeyRow extends Record<string, unknown> {
  readonly device_id: string
}

/**
 * With many matches the next ones are near, so the search walks along the twins while that yields rows. Few matches may be far away.
 * Then an index or one scan finds them all, and they are sorted. The planner cannot choose between the two: it guesses from a sample how
 * many twins have a tag, and does not know where in the order they are.
 */
async function findKeys(
  search: Search,
  source: TwinSource,
  where: Expression | null,
  { limit, after }: PageRequest,
): Promise<string[]> {
  const areNamed = requiredTexts(where, 'deviceId') !== null
  const near = areNamed ? [] : await walk(search, source, where, { limit, after })
  if (near.length === limit) return near
  const far = await search<KeyRow>(
    selectKeys(source, where, { limit: limit - near.length, after: near.at(-1) ?? after }),
  )
  return [...near, ...far.map((row) => row.device_id)]
}

/** The part of a page that a stretch of twins must yield. With less, the search does not walk along the next stretch. */
const leastYield = 1 / 10

async function walk(
  search: Search,
  source: TwinSource,
  where: Expression | null,
  { limit, after }: PageRequest,
): Promise<string[]> {
  const stretch = Math.min(limit * stretchPerItem, longestStretch)
  const keys: string[] = []
  for (;;) {
    const rest = { limit: limit - keys.length, after: keys.at(-1) ?? after }
    const found = await search<KeyRow>(selectNearKeys(source, where, rest, stretch))
    keys.push(...found.map((row) => row.device_id))
    if (keys.length === limit || found.length < limit * leastYield) return keys
  }
}

/** The twins of a stretch. To walk along more costs as much as the index, for a tag that 1 % of a million twins have. */
const stretchPerItem = 20
const longestStretch = 4000

export function selectNearKeys(
  source: TwinSource,
  where: Expression | null,
  { limit, after }: PageRequest,
  stretch: number,
): SQL {
  return sql`
    select t.device_id
    ${nextTwinsWhere(source, where, { after, count: stretch })}
     order by ${source.order}
     limit ${limit}`
}

/** With OFFSET 0 Postgres first finds all and then sorts them. It does not walk along the order. */
export function selectKeys(source: TwinSource, where: Expression | null, { limit, after }: PageRequest): SQL {
  return sql`
    select t.device_id
      from (select t.device_id, t.module_id
            ${twinsWhere(source, where)}
               and ${isBehind(source, after)}
            offset 0) as t
     order by ${source.order}
     limit ${limit}`
}
