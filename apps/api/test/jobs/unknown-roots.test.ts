import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const job = { type: 'scheduleDeviceMethod', cloudToDeviceMethod: { methodName: 'ring' } }
const texts = [
  ["tag.site = 'paris'", 'found "tag", expected a member of a twin. The nearest member is tags.site.'],
  ['tags.site = paris', `found "paris", expected a member of a twin. For a text, write 'paris' in quotes.`],
] as const

describe.each(texts)('the condition %j', (queryCondition, text) => {
  it.each([
    ['PUT', '/jobs/v2/unknown-root'],
    ['POST', '/jobs/v2/preview'],
  ])('Q32 is refused with the nearest member, and creates nothing: %s %s', async (method, path) => {
    const refused = await api.send(method, path, { ...job, queryCondition })

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain('ErrorCode:ArgumentInvalid;queryCondition: ')
    expect(refused.body.Message).toContain(text)
    expect((await api.send('GET', '/jobs/v2/unknown-root')).status).toBe(404)
  })

  it('Q32 is undefined in a query, which selects nothing', async () => {
    await api.send('PUT', '/devices/any', {})

    const found = await api.send('POST', '/devices/query', { query: `SELECT * FROM devices WHERE ${queryCondition}` })

    expect([found.status, found.body]).toEqual([200, []])
  })
})
