import { limits } from '@muster/contract'
import { maxNesting } from '@muster/query'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { expectAnswer } from '../expect-answer.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  for (let first = 0; first < ids.length; first += limits.bulkDevices) {
    const entries = ids.slice(first, first + limits.bulkDevices).map((id) => ({ id, importMode: 'create' }))
    await api.send('POST', '/devices', entries)
  }
})
afterAll(async () => api[Symbol.asyncDispose]())

const ids = [...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz']

const lead = 'SELECT * FROM devices WHERE '
const query = (text: string) =>
  api.send('POST', '/devices/query', { query: text }, { headers: { 'x-ms-max-item-count': '1000' } })
const idsOf = (rows: readonly { deviceId: string }[]) => rows.map(({ deviceId }) => deviceId)

/** As many of a text as a query has room for. */
const filled = (part: string, room = limits.queryLength - lead.length) => part.repeat(Math.floor(room / part.length))

const openers = [
  '(',
  'NOT ',
  '-(',
  '- ',
  'IS_NULL(',
  'STARTSWITH(',
  '1+(',
  'a=(',
  '[',
  'a IN [',
  "a['",
  'a[',
  '[[',
  '/*',
  'a.',
  '.',
  "'",
  '((NOT ',
  '-- \n(',
]

describe('Q15 a query as long as the limit allows is answered', () => {
  it.each(openers)('when all it does is open: %s', async (opener) => {
    const room = limits.queryLength - lead.length
    for (const text of [
      lead + filled(opener),
      `SELECT ${filled(opener)} FROM devices`.slice(0, limits.queryLength),
      `SELECT COUNT() FROM devices GROUP BY ${filled(opener, room - 20)}`,
    ]) {
      expect(await expectAnswer(api, text)).toBe(400)
    }
  })

  it('with parentheses that close, as deep as the limit and one deeper', async () => {
    const nested = (depth: number) => `${lead}${'('.repeat(depth)}1 = 1${')'.repeat(depth)}`

    const deep = await query(nested(maxNesting))

    expect(deep.body).toHaveLength(ids.length)
    expect(await expectAnswer(api, nested(maxNesting + 1))).toBe(400)
    expect(await expectAnswer(api, nested(4000))).toBe(400)
  })

  it('with a list of 2,000 ids', async () => {
    const wanted = ids.slice(0, 20)
    const listed = Array.from({ length: 2000 }, (_, index) => `'${wanted[index % wanted.length]}'`)

    const found = await query(`${lead}deviceId IN [${listed.join(',')}]`)
    const others = await query(`${lead}deviceId NIN [${listed.join(',')}]`)

    expect(idsOf(found.body)).toEqual(wanted)
    expect(others.body).toHaveLength(ids.length - wanted.length)
  })

  it.each([
    ['OR', "deviceId='a'", ['a']],
    ['OR', 'a', []],
    ['AND', 'true', ids],
    ['OR', "'a'=deviceId", ['a']],
    ['OR', "NOT deviceId!='a'", ['a']],
    ['OR', 'tags.b IN [1]', []],
    ['AND', "deviceId IN ['a','b']", ['a', 'b']],
  ])('with as many times %s %s', async (connective, part, selected) => {
    const parts = filled(`${part} ${connective} `, limits.queryLength - lead.length - part.length)

    const reply = await query(lead + parts + part)

    expect(reply.status).toBe(200)
    expect(idsOf(reply.body)).toEqual(selected)
  })

  it.each([
    ['members of a path', 'a', '.a'],
    ['sums', '1', '+1'],
    ['comparisons', '1', '=1'],
    ['elements', 'a', '[1]'],
  ])('with too many %s', async (_, first, next) => {
    expect(await expectAnswer(api, lead + first + filled(next, limits.queryLength - lead.length - first.length))).toBe(
      400,
    )
  })

  it('and one that is a character longer names the member and the limit', async () => {
    for (const filling of [' ', '(', 'a OR ', "'"]) {
      const text = lead + filling.repeat(limits.queryLength)

      const refused = await query(text.slice(0, limits.queryLength + 1))

      expect(refused.status).toBe(400)
      expect(refused.body.Message).toContain(`query must be at most ${limits.queryLength} characters long`)
    }
  })
})

describe("Q15 a job's condition as long as the limit allows", () => {
  const put = (queryCondition: string) =>
    api.send('PUT', '/jobs/v2/long', {
      type: 'scheduleDeviceMethod',
      cloudToDeviceMethod: { methodName: 'm' },
      queryCondition,
    })

  it.each(openers)('is refused with its place when all it does is open: %s', async (opener) => {
    const refused = await put(filled(opener))

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toMatch(/Line \d+:\d+ found /)
  })

  it('may hold a list of 2,000 ids', async () => {
    const created = await put(`deviceId IN [${Array.from({ length: 2000 }, () => "'a'").join(',')}]`)

    expect(created.status).toBe(200)
  })
})
