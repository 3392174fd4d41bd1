import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '@muster/testkit'
import { expect, it } from 'vitest'
import { startHub, type TestHub } from '../../../apps/muster/test/hub.ts'
import { ending, putJob, reaching } from '../../../apps/muster/test/jobs.ts'
import { startApiProcess, startProcess } from '../../../apps/muster/test/role-process.ts'
import { givenFleet } from '../../../apps/muster/test/simulated.ts'
import { dashboards } from '../../grafana/src/dashboards.ts'
import { type RunningPrometheus, startPrometheus } from '../prometheus/prometheus.ts'
import { withVariables } from '../promql.ts'

const rulesFolder = join(import.meta.dirname, '..', '..', 'prometheus', 'rules')
const panels = dashboards.flatMap(({ uid, rows }) =>
  rows.flatMap((row) => row.panels.map(({ title, queries }) => ({ name: `${uid}: ${title}`, queries }))),
)

it('every panel has data of a hub whose roles are processes of their own', { timeout: 180_000 }, async () => {
  // Only the certificates of this process are used.
  await using hub = await startHub({ roles: [] })
  await using api = await startApiProcess(hub)
  await using gateway = await startProcess(hub, ['gateway'])
  await using dispatcher = await startProcess(hub, ['dispatcher'])
  await using worker = await startProcess(hub, ['worker'])
  await using prometheus = await startPrometheus(
    Object.entries({ api, gateway, dispatcher, worker }).map(([component, { ports }]) => ({
      component,
      port: ports.http,
    })),
    { ruleFiles: readdirSync(rulesFolder).map((file) => join(rulesFolder, file)) },
  )

  await work({ ...hub, request: api.request, mqttsPort: gateway.ports.mqtts ?? 0 })
  const empty = await eventually(
    async () => {
      const found = await withoutData(prometheus)
      expect(found).toEqual([])
      return found
    },
    { timeoutMs: 60_000 },
  )

  expect(empty).toEqual([])
})

/** Something of every kind that the panels show. */
async function work(hub: TestHub): Promise<void> {
  const tags = { site: 'north' }
  await using fleet = await givenFleet(hub, { count: 30, prefix: 'seen', tags, behaviour: { latencyMs: [10, 200] } })
  await fleet.connect()
  const queryCondition = "tags.site = 'north'"
  await putJob(hub, 'twins', {
    type: 'scheduleUpdateTwin',
    queryCondition,
    updateTwin: { etag: '*', properties: { desired: { interval: 60 } } },
  })
  const reboot = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 20 }
  await putJob(hub, 'reboots', { type: 'scheduleDeviceMethod', queryCondition, cloudToDeviceMethod: reboot })
  await ending(hub, 'twins')
  await reaching(hub, 'reboots', 'succeededCount', 30)
  await ending(hub, 'reboots')
  await hub.request('GET', '/jobs/v2/nothing')
  await putJob(hub, 'cancelled', { type: 'scheduleDeviceMethod', queryCondition, cloudToDeviceMethod: reboot })
  await hub.request('POST', '/jobs/v2/cancelled/cancel')
  await ending(hub, 'cancelled')
}

async function withoutData(prometheus: RunningPrometheus): Promise<string[]> {
  const found: string[] = []
  for (const { name, queries } of panels) {
    for (const { expr } of queries) {
      const values = await prometheus.query(withVariables(expr))
      // The first moments of a quantile divide nothing by nothing.
      if (!values.some(Number.isFinite)) found.push(`${name}: ${expr}`)
    }
  }
  return found
}
