import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob } from '../jobs.ts'
import { beLongConnected } from '../long-connected.ts'
import { startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'

const count = 20

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name !== 'worker') })
})
afterAll(() => hub[Symbol.asyncDispose]())

async function countRows(text: string): Promise<number> {
  const { rows } = await hub.running.hub.db.execute(text)
  return rows.length
}

it('J22 G39 a worker that is frozen between its claim and its calls calls nobody when it goes on', async () => {
  await using fleet = await givenFleet(hub, { count, prefix: 'frozen', tags: { site: 'frozen' } })
  await fleet.connect()
  await beLongConnected(hub)
  await using first = await startProcess(hub, ['worker'])

  await hub.running.hub.db.transaction(async (tx) => {
    // The worker claims, and then waits to read where the devices are.
    await tx.execute('lock table sessions in access exclusive mode')
    await putJob(hub, 'frozen', {
      type: 'scheduleDeviceMethod',
      queryCondition: "tags.site = 'frozen'",
      cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
    })
    await eventually(async () => {
      expect(await countRows(`select from chunks where status = 'leased'`)).toBe(1)
      expect(await countRows(waitingForRoutes)).toBe(1)
    })
    first.signal('SIGSTOP')
  })
  await using _ = await startProcess(hub, ['worker'])
  const ended = await ending(hub, 'frozen')
  first.signal('SIGCONT')
  // What comes of its calls is not recorded.
  await eventually(() => expect(first.log()).toContain('"event":"claimLost"'))

  expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: { succeededCount: count, failedCount: 0 } })
  expect(fleet.methodCallCount).toBe(count)
  // A lease, and two starts of a process.
}, 120_000)

const waitingForRoutes = `
  select from pg_stat_activity
   where datname = current_database() and wait_event_type = 'Lock' and query like '%generation_no%sessions%'`
