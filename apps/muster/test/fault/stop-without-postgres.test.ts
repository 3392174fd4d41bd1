import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { requestTo, startHub, type TestHub } from '../hub.ts'
import { putJob, reaching } from '../jobs.ts'
import { startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'
import { openWay } from '../way.ts'

let hub: TestHub
beforeAll(async () => {
  // It makes the database, the token and the CA. The hub that is stopped runs in another process.
  hub = await startHub({ roles: roles.filter(({ name }) => name === 'api') })
})
afterAll(() => hub[Symbol.asyncDispose]())

it('C7 a process with all roles that gets SIGTERM while Postgres is away, and calls are under way, ends cleanly', async () => {
  const address = new URL(hub.environment.DATABASE_URL ?? '')
  await using way = await openWay(Number(address.port))
  address.port = String(way.port)
  const muster = await startProcess(hub, ['api', 'dispatcher', 'worker', 'gateway'], {
    settings: { DATABASE_URL: address.href, MUSTER_SHUTDOWN_SECONDS: '5' },
  })
  const { ports } = muster
  const own = {
    ...hub,
    mqttsPort: ports.mqtts ?? 0,
    request: requestTo(ports.http, hub.token),
  }
  const fleet = await givenFleet(own, {
    count: 3,
    prefix: 'silent',
    tags: { site: 'silent' },
    behaviour: { silent: true },
  })
  await fleet.connect()
  await putJob(own, 'open', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'silent'",
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 60 },
  })
  await reaching(own, 'open', 'runningCount', 3)

  await way.close()
  muster.signal('SIGTERM')
  const exitCode = await muster.ended
  await fleet[Symbol.asyncDispose]()

  expect(muster.log().includes('roles failed to stop')).toBe(false)
  expect(exitCode).toBe(0)
})
