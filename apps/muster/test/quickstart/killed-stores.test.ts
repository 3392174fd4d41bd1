import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ending, putJob } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'
import { type Quickstart, startQuickstart } from './quickstart.ts'

let hub: Quickstart

beforeAll(async () => {
  hub = await startQuickstart()
})
afterAll(() => hub[Symbol.asyncDispose]())

it.each(['Redis', 'Postgres'])(
  'a job starts and completes though the private %s is killed before its start',
  async (store) => {
    await using fleet = await givenFleet(hub, { count: 20, prefix: store, tags: { site: store } })
    await fleet.connect()
    const startTime = new Date(Date.now() + 4_000)
    await putJob(hub, `after-${store}`, {
      type: 'scheduleDeviceMethod',
      queryCondition: `tags.site = '${store}'`,
      startTime: startTime.toISOString(),
      cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
    })

    process.kill(pidOf(store), 'SIGKILL')
    await hub.prints(`${store} has ended unexpectedly (SIGKILL): it is started again`)
    await hub.prints(new RegExp(`${store} runs again after \\d+\\.\\d s`))
    const ended = await ending(hub, `after-${store}`)
    const lateMs = Date.parse(String(ended.endTime)) - startTime.getTime()

    const log = readFileSync(join(hub.dataDir, 'hub.log'), 'utf8')
    expect(log).toMatch(new RegExp(`"kind":"restarted".*"store":"${store.toLowerCase()}".*"event":"storeIncident"`))
    // Without a restart it would stand still for minutes.
    expect(lateMs).toBeGreaterThanOrEqual(0)
    expect(lateMs).toBeLessThan(15_000)
    expect(ended).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: 20, succeededCount: 20, failedCount: 0, runningCount: 0, pendingCount: 0 },
    })
  },
)

/** The process of a store, among those that the hub has noted in its data folder. */
function pidOf(store: string): number {
  const owners = join(hub.dataDir, 'owners')
  const pids = readdirSync(owners).flatMap((name) => readFileSync(join(owners, name), 'utf8').match(/^\d+/gm) ?? [])
  const commands = execFileSync('ps', ['-o', 'pid=,args=', '-p', pids.join(',')], { encoding: 'utf8' }).split('\n')
  return Number(commands.find((command) => command.includes(store.toLowerCase()))?.match(/\d+/)?.[0])
}
