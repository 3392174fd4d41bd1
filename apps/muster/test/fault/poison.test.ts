import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ settings: { MUSTER_LOG_LEVEL: 'fatal' } })
  // Rows on which Postgres fails, and inserts that wait for whoever holds the lock.
  await execute(`
    create function fail() returns trigger language plpgsql as $$ begin raise 'no luck with this one'; end $$`)
  await execute(`
    create function hold() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock_shared(42); return new; end $$`)
  await execute(`
    create trigger poison before update on twins for each row when (new.device_id = 'poison-0001')
      execute function fail()`)
  await execute(`
    create trigger poison before insert on chunks for each row when (new.device_ids[1] = 'unstartable')
      execute function fail()`)
  await execute(`
    create trigger long before insert on chunks for each row when (new.device_ids[1] like 'long-%')
      execute function hold()`)
})
afterAll(() => hub[Symbol.asyncDispose]())

it('J32 a device on which the hub fails ends alone, with the line of the log, and holds up no other job', async () => {
  await using _fleet = await givenFleet(hub, { count: 3, prefix: 'poison', tags: {} })
  const logged: string[] = []
  hub.running.hub.events.on('deviceJobFailed', ({ trackingId }) => logged.push(trackingId))

  await putJob(hub, 'poisoned', twinJob(['poison-0000', 'poison-0001', 'poison-0002']))
  await eventually(async () => expect(await rowsOf('select claims from chunks where claims > 0')).toHaveLength(1))
  await putJob(hub, 'healthy', twinJob(['poison-0000', 'poison-0002']))
  const healthy = await ending(hub, 'healthy')
  await execute('update chunks set claims = 10, not_before = null where claims > 0')
  const poisoned = await ending(hub, 'poisoned')

  expect(healthy).toMatchObject({ status: 'completed', deviceJobStatistics: { succeededCount: 2 } })
  expect(poisoned).toMatchObject({ status: 'completed', deviceJobStatistics: { succeededCount: 2, failedCount: 1 } })
  expect(await deviceRows(hub, "jobId = 'poisoned' AND status = 'failed'")).toMatchObject([
    {
      deviceId: 'poison-0001',
      error: { code: 'ServerError', description: expect.stringContaining(String(logged[0])) },
    },
  ])
})

it('J33 a job whose start fails holds up no other, and is failed with the reason after the last try', async () => {
  await putJob(hub, 'unstartable', methodJob('unstartable'))
  await eventually(async () => expect(await rowsOf('select attempts from jobs where attempts > 0')).toHaveLength(1))
  await putJob(hub, 'startable', methodJob('nobody'))
  const startable = await ending(hub, 'startable')
  await execute('update jobs set attempts = 9, not_before = null where attempts > 0')

  expect(startable).toMatchObject({ status: 'completed', deviceJobStatistics: { failedCount: 1 } })
  expect(await ending(hub, 'unstartable')).toMatchObject({
    status: 'failed',
    failureReason: 'the job could not be started, 10 times: no luck with this one',
  })
})

it('J33 starts that take long hold up no other start', async () => {
  const others = ['long-1', 'long-2', 'long-3', 'long-4']
  const running = await hub.running.hub.db.transaction(async (tx) => {
    await tx.execute("select set_config('idle_in_transaction_session_timeout', '0', true), pg_advisory_xact_lock(42)")
    for (const id of others) await putJob(hub, id, methodJob(id))
    await eventually(async () => expect(await rowsOf(waiting)).toHaveLength(others.length))

    await putJob(hub, 'quick', methodJob('nobody'))
    return ending(hub, 'quick')
  })

  expect(running).toMatchObject({ status: 'completed' })
  for (const id of others) await reaching(hub, id, 'failedCount', 1)
})

const waiting = `
  select pid from pg_stat_activity
   where datname = current_database() and wait_event = 'advisory' and query like '%insert into chunks%'`

function twinJob(deviceIds: readonly string[]): object {
  return { type: 'scheduleUpdateTwin', deviceIds, updateTwin: { etag: '*', tags: { seen: true } } }
}

/** On a device that is not registered, so that it ends as soon as it has started. */
function methodJob(deviceId: string): object {
  return {
    type: 'scheduleDeviceMethod',
    deviceIds: [deviceId],
    cloudToDeviceMethod: { methodName: 'reboot', payload: null },
  }
}

async function execute(statement: string): Promise<void> {
  await hub.running.hub.db.execute(statement)
}

async function rowsOf(statement: string): Promise<readonly unknown[]> {
  const { rows } = await hub.running.hub.db.execute(statement)
  return rows
}
