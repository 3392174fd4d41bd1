import { checkPostgres } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connectDevice, refusalOf, responses } from './device.ts'
import { openHub, type TestGateway, type TestHub } from './hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

/** For all connections, also those that are open: they are cut. */
async function setReadOnly(isReadOnly: boolean): Promise<void> {
  const { db } = gateway.hub
  const setting = isReadOnly ? 'set default_transaction_read_only = on' : 'reset default_transaction_read_only'
  await db.transaction(
    (tx) => tx.execute(`do $$ begin execute format('alter database %I ${setting}', current_database()); end $$`),
    { accessMode: 'read write' },
  )
  // Its own connection last, or those behind it would stay.
  await db
    .execute(
      `select pg_terminate_backend(pid)
         from (select pid from pg_stat_activity
                where datname = current_database() order by pid = pg_backend_pid() offset 0) as connections`,
    )
    .catch(() => {})
  await eventually(() =>
    isReadOnly
      ? expect(checkPostgres(db)).rejects.toThrow('read-only')
      : expect(checkPostgres(db)).resolves.toBe(undefined),
  )
}

it('C5 answers 503 and refuses with 3 while Postgres is read-only, and serves again when it is not', async () => {
  const device = await connectDevice(gateway, await hub.addDevice('reports'))
  await device.subscribe([responses])
  const newcomer = await hub.addDevice('newcomer')
  const patch = '$iothub/twin/PATCH/properties/reported/?$rid='

  await setReadOnly(true)
  await device.publish(`${patch}1`, '{"a":1}')
  expect((await device.take('$iothub/twin/res/')).topic).toBe('$iothub/twin/res/503/?$rid=1')
  expect(await refusalOf(gateway, newcomer)).toBe(3)

  await setReadOnly(false)
  await device.publish(`${patch}2`, '{"a":2}')
  expect((await device.take('$iothub/twin/res/')).topic).toBe('$iothub/twin/res/204/?$rid=2&$version=2')
  await (await connectDevice(gateway, newcomer)).end()
  await device.end()
})
