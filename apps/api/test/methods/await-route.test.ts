import { storedIdentity } from '@muster/contract'
import type { Db } from '@muster/store'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRoutesToCome } from '../../src/methods/await-route.ts'
import { type Api, connectDevice, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api[Symbol.asyncDispose]())

/** The store, and how many statements have gone to it. */
function counted(db: Db) {
  const statements: unknown[] = []
  const { session } = db._
  const prepareQuery: typeof session.prepareQuery = (query, ...options) => {
    statements.push(query)
    return session.prepareQuery(query, ...options)
  }
  const execute: Db['execute'] = (query) => {
    statements.push(query)
    return db.execute(query)
  }
  const counting = Object.create(session, { prepareQuery: { value: prepareQuery } })
  return {
    statements,
    db: Object.create(db, { execute: { value: execute }, _: { value: { ...db._, session: counting } } }) as Db,
  }
}

const waiting = (count: number) => Array.from({ length: count }, (_, n) => storedIdentity(`waits-${n % 100}`))

it('all who wait at a time are told by one statement, and nobody is asked for when nobody waits', async () => {
  await api.send('PUT', '/devices/waits-7', {})
  await connectDevice(api, 'waits-7', 'gateway-7')
  const { statements, db } = counted(api.db)
  const routes = createRoutesToCome(db)

  const first = await Promise.all(waiting(300).map((identity) => routes.next(identity)))
  const second = await Promise.all(waiting(300).map((identity) => routes.next(identity)))

  expect(statements).toHaveLength(2)
  expect(first.map((route) => route?.gatewayId).filter((id) => id !== undefined)).toEqual(Array(3).fill('gateway-7'))
  expect(second).toEqual(first)
})

it('a statement is for a bounded number of them', async () => {
  const { statements, db } = counted(api.db)
  const routes = createRoutesToCome(db)

  await Promise.all(Array.from({ length: 2_500 }, (_, n) => routes.next(storedIdentity(`crowd-${n}`))))

  expect(statements).toHaveLength(3)
})

it('a statement that fails is an error for those who wait, and the next one is tried', async () => {
  const { db } = api
  const routes = createRoutesToCome(db)
  await db.execute('alter table sessions rename to sessions_away')
  const failed = await Promise.allSettled(waiting(3).map((identity) => routes.next(identity)))
  await db.execute('alter table sessions_away rename to sessions')

  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(await routes.next(storedIdentity('waits-7'))).toMatchObject({ identity: 'waits-7' })
})
