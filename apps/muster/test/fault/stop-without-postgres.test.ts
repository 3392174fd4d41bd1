import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { requestTo, startHub, type TestHub } from '../hub.ts'
import { putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'
import { openWay } from '../way.ts'

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

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
  const { PATH = '' } = process.env
  const muster = spawn(process.execPath, [program, 'api', 'dispatcher', 'worker', 'gateway'], {
    env: {
      PATH,
      ...hub.environment,
      DATABASE_URL: address.href,
      MUSTER_LOG_LEVEL: 'info',
      MUSTER_SHUTDOWN_SECONDS: '5',
    },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let log = ''
  muster.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const ports = await eventually(
    () => {
      const started = log.split('\n').find((line) => line.includes('"event":"hubStarted"'))
      if (started === undefined) throw new Error('the hub has not started')
      const ports: { http: number; mqtts: number } = JSON.parse(started)
      return ports
    },
    { timeoutMs: 30_000 },
  )
  const own = {
    ...hub,
    mqttsPort: ports.mqtts,
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
  muster.kill('SIGTERM')
  const [exitCode] = await once(muster, 'exit')
  await fleet[Symbol.asyncDispose]()

  expect(log.includes('roles failed to stop')).toBe(false)
  expect(exitCode).toBe(0)
})
