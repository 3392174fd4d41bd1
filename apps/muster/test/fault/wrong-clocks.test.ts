import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { type RoleProcess, startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name === 'api' || name === 'gateway') })
})
afterAll(() => hub[Symbol.asyncDispose]())

const minutes = (count: number) => count * 60_000
/** An hour ahead and an hour behind in turn, with the right time in between. */
const jumping = `[0, ${minutes(60)}, 0, ${minutes(-60)}][Math.floor(performance.now() / 1_500) % 4]`

it.each([
  ['apart by 20 minutes', `${minutes(10)}`, `${minutes(-10)}`, 'clock-skew'],
  ['of which one jumps by an hour forward and back', jumping, '0', 'clock-jump'],
])(
  'C4 with clocks %s a job starts on time, and each device is called once',
  { timeout: 120_000 },
  async (_, first, second, site) => {
    await using fleet = await givenFleet(hub, {
      count: 100,
      prefix: site,
      tags: { site },
      behaviour: { latencyMs: [100, 3_000] },
    })
    await using _one = await startRoles(first)
    await using _other = await startRoles(second)
    await fleet.connect()
    const startTime = new Date(Date.now() + 4_000)

    await putJob(hub, site, {
      type: 'scheduleDeviceMethod',
      queryCondition: `tags.site = '${site}'`,
      startTime: startTime.toISOString(),
      cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
    })
    await reaching(hub, site, 'succeededCount', 1)
    expect(Date.now()).toBeGreaterThanOrEqual(startTime.getTime())
    const ended = await ending(hub, site)

    expect(ended).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: 100, succeededCount: 100, failedCount: 0, runningCount: 0, pendingCount: 0 },
    })
    expect(fleet.methodCallCount).toBe(100)
  },
)

/** A worker and a dispatcher in a process of their own, whose Date is off by so many ms, an expression. */
function startRoles(aheadMs: string): Promise<RoleProcess> {
  const shift = `
    const Right = Date
    globalThis.Date = class extends Right {
      constructor(...given) {
        super(...(given.length === 0 ? [Date.now()] : given))
      }
      static now() {
        return Right.now() + ${aheadMs}
      }
    }`
  return startProcess(hub, ['worker', 'dispatcher'], {
    nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(shift)}`],
  })
}
