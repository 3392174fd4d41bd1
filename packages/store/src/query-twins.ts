import type { JsonObject } from '@muster/contract'
import type { Expression } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { requiredTexts } from './condition-texts.ts'
import { foreignPosition, type Page, type PageRequest } from './page.ts'
import { type Search, withinQueryTime } from './query-time.ts'
import { type Db, texts } from './sql.ts'
import { selectTwins, type TwinRow, twinDocument } from './twin-document.ts'
import { isBehind, nextTwinsWhere, type TwinSource, twinsWhere } from './twin-sources.ts'

/** The twins that a condition selects, and what is shown of each; `where: null` selects all. */
export interface TwinQuery {
  readonly where: Expression | null
  readonly rowOf: (twin: JsonObject) => JsonObject
}

/**
 * Twins in the order of their source.
 * @throws HubError GatewayTimeout when the search takes too long, ArgumentInvalid for a position that no page gave.
 */
export async function queryTwins(
  db: Db,
  source: TwinSource,
  { where, rowOf }: TwinQuery,
  { limit, after }: PageRequest,
): Promise<Page> {
  if (after !== null && !source.isKey(after)) throw foreignPosition()
  return withinQueryTime(db, async (search) => {
    const keys = await findKeys(search, source, where, { limit: limit + 1, after })
    const items = await readRows(search, source, keys.slice(0, limit), rowOf)
    return { items, continuation: keys.length > items.length ? (keys[items.length - 1] ?? null) : null }
  })
}

/** What the rows of a page may come to, as characters of JSON; the row that goes beyond is its last. */
const longestPage = 32 * 2 ** 20
/** Twins that are in memory at once. With its metadata, one may have more than a megabyte. */
const twinsAtOnce = 100

/**
 * The rows of these keys, or of the first of them: many large twins, or a select list that repeats their sections dozens of
 * times, could be longer together than a text can be.
 */
async function readRows(
  search: Search,
  source: TwinSource,
  keys: readonly string[],
  rowOf: TwinQuery['rowOf'],
): Promise<JsonObject[]> {
  const items: JsonObject[] = []
  let length = 0
  for (let from = 0; from < keys.length; from += twinsAtOnce) {
    const some = texts(keys.slice(from, from + twinsAtOnce))
    const found = await search<TwinRow>(sql`${selectTwins} where t.device_id = any(${some}) order by ${source.order}`)
    for (const twin of found) {
      const row = rowOf(twinDocument(twin))
      items.push(row)
      length += JSON.stringify(row).length
      if (length > longestPage) return items
    }
  }
  return items
}

interface KeyRow extends Record<string, unknown> {
  readonly device_id: string
}

/**
 * Of many matches the next are near: it walks along the twins as long as that yields something. Few matches may be far
 * away: an index finds them all, or one scan, and they are sorted. The planner cannot choose between the two: how many twins
 * have a tag it guesses from a sample, and where in the order they are, it does not know.
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

/** What part of a page a stretch of twins must yield for the next stretch to be walked along, too. */
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

/** How many twins a stretch has: to walk along more costs what the index does, of a tag that 1 % of a million twins have. */
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

/** OFFSET 0: all are found first and sorted then, never found by walking along the order. */
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
