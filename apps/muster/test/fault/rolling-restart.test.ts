import { findFreePort } from '@muster/local-services'
import { createFleet } from '@muster/simulator'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { roles } from '../../src/roles.ts'
import { requestTo, startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob, reaching } from '../jobs.ts'
import { startProcess } from '../role-process.ts'
import { registered } from '../simulated.ts'

/** Devices that are called while one role is restarted. */
const perRole = 20

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name === 'api') })
})
afterAll(() => hub[Symbol.asyncDispose]())

it('J26 G44 every role stops at SIGTERM and starts again while jobs run: nothing is lost, and no device is called twice', async () => {
  const [dispatcher, worker, gateway, api] = await Promise.all([
    restartable(hub, 'dispatcher'),
    restartable(hub, 'worker'),
    restartable(hub, 'gateway'),
    restartable(hub, 'api'),
  ])
  const restarted = [dispatcher, worker, gateway, api]
  const request = requestTo(api.httpPort, hub.token)
  const calls: string[] = []
  const { devices, ...options } = await registered(
    { request, ca: hub.ca, mqttsPort: gateway.mqttsPort },
    {
      count: restarted.length * perRole,
      prefix: 'roll',
      tags: { site: 'roll' },
      behaviour: { latencyMs: [500, 2_500] },
    },
  )
  await using fleet = createFleet({ ...options, devices, onMethod: (deviceId) => calls.push(deviceId) })
  await putJob({ request }, 'roll-method', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'roll'",
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 30 },
  })
  // The job waits for the devices that are not connected yet. So it lasts, however long a restart takes.
  await reaching(hub, 'roll-method', 'pendingCount', devices.length)

  for (const [index, role] of restarted.entries()) {
    const next = devices.slice(index * perRole, (index + 1) * perRole).map(({ deviceId }) => deviceId)
    await putJob({ request }, `roll-twin-${index}`, {
      type: 'scheduleUpdateTwin',
      queryCondition: "tags.site = 'roll'",
      updateTwin: { etag: '*', tags: { rolled: index } },
    })
    await fleet.connect(next)
    await eventually(() => expect(calls.length).toBeGreaterThan(index * perRole), { timeoutMs: 50_000 })
    expect(await role.restart()).toBe(0)
  }
  const twinJobs = restarted.map((_, index) => `roll-twin-${index}`)
  const ended = await Promise.all(['roll-method', ...twinJobs].map((jobId) => ending({ request }, jobId)))

  expect(await deviceRows(hub, "jobId = 'roll-method' AND status = 'failed'")).toEqual([])
  const all = { deviceCount: devices.length, succeededCount: devices.length }
  expect(ended).toMatchObject(ended.map(() => ({ status: 'completed', deviceJobStatistics: all })))
  expect(calls.toSorted()).toEqual(devices.map(({ deviceId }) => deviceId))
}, 600_000)

/** A role in a process of its own, on the same ports after each restart. */
async function restartable(hub: TestHub, role: 'api' | 'dispatcher' | 'worker' | 'gateway') {
  const httpPort = await findFreePort()
  const mqttsPort = await findFreePort()
  const settings = { MUSTER_HTTP_PORT: String(httpPort), MUSTER_MQTTS_PORT: String(mqttsPort) }
  let running = await startProcess(hub, [role], { settings })
  onTestFinished(() => running[Symbol.asyncDispose]())
  return {
    httpPort,
    mqttsPort,
    /** Resolves when it serves again, with the code that the process before has ended with. */
    async restart(): Promise<number | null> {
      running.signal('SIGTERM')
      const code = await running.ended
      running = await startProcess(hub, [role], { settings })
      return code
    },
  }
}
