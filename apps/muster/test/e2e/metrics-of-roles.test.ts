import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob } from '../jobs.ts'
import { type RoleProcess, startApiProcess, startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'
import { complaintsOf, countSeries, valueIn } from './metrics-text.ts'

/** The API of it is only there for its certificates. */
let hub: TestHub
let processes: Readonly<Record<'api' | 'dispatcher' | 'worker' | 'gateway', RoleProcess>>

/** Devices that succeed, fail, do not answer, and are offline; one job of each type, and one that is cancelled. */
beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name === 'api') })
  const [api, dispatcher, worker, gateway] = await Promise.all([
    startApiProcess(hub),
    startProcess(hub, ['dispatcher']),
    startProcess(hub, ['worker']),
    startProcess(hub, ['gateway']),
  ])
  processes = { api, dispatcher, worker, gateway }
  const reached = { ...hub, request: api.request, mqttsPort: gateway.ports.mqtts ?? 0 }
  const tags = { floor: 3 }
  await using well = await givenFleet(reached, { count: 10, prefix: 'well', tags })
  await using failing = await givenFleet(reached, { count: 3, prefix: 'failing', tags, behaviour: { status: 500 } })
  await using silent = await givenFleet(reached, { count: 2, prefix: 'silent', tags, behaviour: { silent: true } })
  await Promise.all([well, failing, silent].map((fleet) => fleet.connect()))
  const queryCondition = 'tags.floor = 3'
  const reboot = {
    type: 'scheduleDeviceMethod',
    queryCondition,
    cloudToDeviceMethod: { methodName: 'reboot', responseTimeoutInSeconds: 5 },
  }

  await putJob(reached, 'twins', {
    type: 'scheduleUpdateTwin',
    queryCondition,
    updateTwin: { etag: '*', tags: { a: 1 } },
  })
  await putJob(reached, 'reboots', reboot)
  await ending(reached, 'twins')
  await ending(reached, 'reboots')
  await well.disconnect()
  await putJob(reached, 'waiting', reboot)
  // They are pending before the worker has looked at them, too.
  await eventually(async () => expect(recordedBy(await scrape('worker'), 'waiting')).toBeGreaterThanOrEqual(10))
  await reached.request('POST', '/jobs/v2/waiting/cancel')
  await reached.request('GET', '/jobs/v2/unknown')
})
afterAll(async () => {
  for (const process of Object.values(processes)) await process[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

function recordedBy(worker: string, outcome: string): number | null {
  return valueIn(worker, `muster_device_jobs_recorded_total{type="scheduleDeviceMethod",outcome="${outcome}"}`)
}

async function scrape(role: keyof typeof processes): Promise<string> {
  return (await fetch(`http://127.0.0.1:${processes[role].ports.http}/metrics`)).text()
}

it.each(['api', 'dispatcher', 'worker', 'gateway'] as const)(
  'a process with the role %s shows what promtool takes, in fewer than 2,000 series',
  async (role) => {
    const text = await scrape(role)

    expect(valueIn(text, `muster_role_info{role="${role}"}`)).toBe(1)
    expect(await complaintsOf(text)).toBe('')
    expect(countSeries(text)).toBeLessThan(2_000)
  },
)

it('successes, failures and timeouts are told by the roles that saw them', async () => {
  const [api, worker, gateway] = await Promise.all([scrape('api'), scrape('worker'), scrape('gateway')])

  expect(valueIn(worker, 'muster_device_jobs_recorded_total{type="scheduleUpdateTwin",outcome="succeeded"}')).toBe(15)
  expect(recordedBy(worker, 'succeeded')).toBeGreaterThanOrEqual(10)
  expect(recordedBy(worker, 'waiting')).toBeGreaterThanOrEqual(10)
  const timeouts = 'muster_device_jobs_failed_total{type="scheduleDeviceMethod",code="GatewayTimeout"}'
  expect(valueIn(worker, timeouts)).toBeGreaterThanOrEqual(2)
  expect(valueIn(gateway, 'muster_method_invoked_seconds_count{outcome="noAnswer"}')).toBeGreaterThanOrEqual(2)
  expect(valueIn(api, 'muster_job_ended_total{type="scheduleDeviceMethod",status="cancelled"}')).toBe(1)
})
