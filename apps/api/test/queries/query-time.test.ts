import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

/** Sends a request that has to wait for a lock, and ends its statement as Postgres does when its time is over. */
async function sendInVain(path: string, body: unknown) {
  return api.db.transaction(async (tx) => {
    await tx.execute('lock table twins, chunks in access exclusive mode')
    const reply = api.send('POST', path, body)
    await eventually(async () => {
      const { rows } = await tx.execute(`
        select pg_cancel_backend(pid)
          from pg_locks
         where not granted
           and relation in ('twins'::regclass, 'chunks'::regclass)
           and database = (select oid from pg_database where datname = current_database())`)
      expect(rows).toHaveLength(1)
    })
    return reply
  })
}

describe('a search that takes too long', () => {
  it.each([
    ['of twins', '/devices/query', { query: 'SELECT * FROM devices WHERE properties.reported.load > 1' }],
    ['of modules', '/devices/query', { query: 'SELECT moduleId FROM devices.modules' }],
    ['of groups', '/devices/query', { query: 'SELECT tags.depot, COUNT() AS n FROM devices GROUP BY tags.depot' }],
    ['of device jobs', '/devices/query', { query: "SELECT * FROM devices.jobs WHERE status = 'failed'" }],
    ['of a target', '/jobs/v2/preview', { queryCondition: 'properties.reported.load > 1' }],
  ])('%s ends with 504 and says how to narrow it', async (_, path, body) => {
    const reply = await sendInVain(path, body)

    expect(reply.status).toBe(504)
    expect(reply.headers.get('iothub-errorcode')).toBe('GatewayTimeout')
    expect(reply.body.Message).toContain('longer than 10 seconds, narrow it')
  })
})
