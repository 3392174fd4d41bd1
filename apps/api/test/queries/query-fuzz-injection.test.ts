import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { expectAnswer } from '../expect-answer.ts'
import { givenFleet } from '../given-fleet.ts'

const injections = [
  "' OR '1'='1",
  "' OR 1=1 --",
  "'; DROP TABLE devices; --",
  "'); DELETE FROM twins; --",
  "' UNION SELECT primary_key FROM policies --",
  "'||(SELECT primary_key FROM policies LIMIT 1)||'",
  "x' AND 1=(SELECT count(*) FROM policies) AND 'x'='x",
  "\\'; UPDATE devices SET status = 'disabled'; --",
  '\\u0027; DROP TABLE jobs; --',
  "''; DROP TABLE jobs; --",
  '"; DROP TABLE twins; --',
  ']]; DROP TABLE twins; --',
  "'] = 1; DROP TABLE twins; --",
  '1; DROP TABLE chunks; --',
  '1); SELECT pg_sleep(60); --',
  'pg_sleep(60)',
  '*/ DROP TABLE jobs /*',
  '$$; DROP TABLE jobs; $$',
  '$1',
  '$1::text); DROP TABLE jobs; --',
  "E'\\x27; DROP TABLE jobs; --",
  '::text); DROP TABLE jobs',
  'a.b -> c #>> {} @> ?| :name %s {{1}}',
  "a', (select 1), 'b",
  '{"$ne": null}',
  'ʼ; DROP TABLE jobs; --',
  '；DROP TABLE jobs',
] as const

/** Where a caller's text may stand in a query: as it is, and so that the language takes it for a text or a name. */
const places: readonly ((injection: string) => string)[] = [
  (text) => `SELECT * FROM devices WHERE tags.depot = '${text}'`,
  (text) => `SELECT * FROM devices WHERE tags.depot = "${text}"`,
  (text) => `SELECT * FROM devices WHERE tags.depot = ${text}`,
  (text) => `SELECT * FROM devices WHERE deviceId IN ['a', '${text}']`,
  (text) => `SELECT * FROM devices WHERE STARTSWITH(lastActivityTime, '${text}')`,
  (text) => `SELECT * FROM devices WHERE tags['${text}'] = 1`,
  (text) => `SELECT * FROM devices WHERE tags.[[${text}]] = 1`,
  (text) => `SELECT * FROM devices WHERE tags.${text} = 1`,
  (text) => `SELECT * FROM devices WHERE ${text}`,
  (text) => `SELECT * FROM devices ${text}`,
  (text) => `SELECT * FROM devices${text}`,
  (text) => `SELECT * FROM devices.${text}`,
  (text) => `SELECT * FROM devices.jobs WHERE jobId = '${text}' AND status = '${text}'`,
  (text) => `SELECT TOP ${text} * FROM devices`,
  (text) => `SELECT ${text} FROM devices`,
  (text) => `SELECT tags.[[${text}]] FROM devices`,
  (text) => `SELECT '${text}' FROM devices`,
  (text) => `SELECT deviceId AS ${text} FROM devices`,
  (text) => `SELECT deviceId AS [[${text}]] FROM devices`,
  (text) => `SELECT COUNT(${text}) AS ${text} FROM devices`,
  (text) => `SELECT SUM(tags['${text}']) FROM devices`,
  (text) => `SELECT COUNT() FROM devices GROUP BY ${text}`,
  (text) => `SELECT tags['${text}'], COUNT() FROM devices GROUP BY tags['${text}']`,
]

let api: Api
let before: string
beforeAll(async () => {
  api = await openApi()
  await givenFleet(api)
  await api.send(
    'POST',
    '/devices',
    injections.map((note, index) => ({ id: `note-${index}`, importMode: 'create', tags: { note } })),
  )
  before = await contentOfTables()
})
afterAll(async () => api[Symbol.asyncDispose]())

const query = (text: string, headers: Record<string, string> = {}) =>
  api.send('POST', '/devices/query', { query: text }, { headers })
const quoted = (text: string) => text.replace(/[\\'"]/g, '\\$&')

async function contentOfTables(): Promise<string> {
  const { rows } = await api.db.execute<{ name: string; content: string }>(`
    select table_name as name,
           md5(query_to_xml(format('select * from %I order by 1', table_name), true, false, '')::text) as content
      from information_schema.tables
     where table_schema = 'public' and table_type = 'BASE TABLE'
     order by 1`)
  return JSON.stringify(rows)
}

describe('Q17 what is written to inject SQL', () => {
  it('is an error or a text of the language wherever it stands, and changes nothing', async () => {
    const statuses = new Set<number>()
    for (const injection of injections) {
      for (const place of places) {
        statuses.add(await expectAnswer(api, place(injection)))
        statuses.add(await expectAnswer(api, place(quoted(injection))))
      }
    }

    expect(statuses).toEqual(new Set([200, 400]))
    expect(await contentOfTables()).toBe(before)
  })

  it.each(injections)('finds the tag that holds it, and nothing else: %s', async (injection) => {
    const equal = await query(`SELECT * FROM devices WHERE tags.note = '${quoted(injection)}'`)
    const listed = await query(`SELECT * FROM devices WHERE NOT tags.note NIN ['${quoted(injection)}']`)
    const begun = await query(`SELECT * FROM devices WHERE STARTSWITH(tags.note, "${quoted(injection)}")`)
    const named = await query(`SELECT * FROM devices WHERE IS_DEFINED(tags['${quoted(injection)}'])`)

    const note = [expect.objectContaining({ tags: { note: injection } })]
    expect(equal.body).toEqual(note)
    expect(listed.body).toEqual(note)
    expect(begun.body).toEqual(expect.arrayContaining(note))
    expect(named.body).toEqual([])
  })

  it.each(injections)('is no continuation token, with and without a signature: %s', async (injection) => {
    const text = 'SELECT * FROM devices'
    const first = await query(text, { 'x-ms-max-item-count': '1' })
    const [, signature = ''] = (first.headers.get('x-ms-continuation') ?? '').split('.')
    const position = Buffer.from(injection).toString('base64url')

    for (const token of [encodeURIComponent(injection), position, `${position}.${signature}`, `.${signature}`]) {
      const refused = await query(text, { 'x-ms-continuation': token })

      expect(refused.status).toBe(400)
      expect(refused.body.Message).toContain('continuation token "')
    }
  })

  it('leaves every table as it was', async () => {
    expect(await contentOfTables()).toBe(before)
  })
})
