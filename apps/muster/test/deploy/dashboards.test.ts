import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, type RunningPrometheus, startPrometheus, startReceiver, withVariables } from '@muster/testkit'
import { expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob } from '../jobs.ts'
import { readDashboards } from '../pictures/dashboard-files.ts'
import { startApiProcess, startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'

const rulesFolder = join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'prometheus', 'rules')

const panels = readDashboards().flatMap((dashboard) =>
  dashboard.panels.map(({ title, targets }) => ({ name: `${dashboard.title}: ${title}`, targets })),
)

it('every panel has data of a hub whose roles are processes of their own', { timeout: 180_000 }, async () => {
  // An API too, but only its certificates are used.
  await using hub = await startHub({
    roles: roles.filter(({ name }) => name === 'api'),
    settings: { MUSTER_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' },
  })
  await using receiver = await startReceiver()
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

  const reached = { ...hub, request: api.request, mqttsPort: gateway.ports.mqtts ?? 0 }
  const fleet = { count: 30, prefix: 'seen', tags: { site: 'north' }, behaviour: { latencyMs: [10, 200] } } as const
  await using devices = await givenFleet(reached, fleet)
  await devices.connect()
  await reached.request('PUT', '/webhooks/seen', { url: receiver.url, secret: 'sixteen-bytes-at-least' })

  // A rate needs what happens between two scrapes, so the work goes on until every panel has seen some.
  let round = 0
  await eventually(
    async () => {
      round += 1
      await work(reached, round)
      expect(await withoutData(prometheus)).toEqual([])
    },
    { timeoutMs: 120_000 },
  )
})

/** Something of every kind that the panels show. */
async function work(hub: TestHub, round: number): Promise<void> {
  const queryCondition = "tags.site = 'north'"
  const updateTwin = { etag: '*', properties: { desired: { interval: round } } }
  await putJob(hub, `twins-${round}`, { type: 'scheduleUpdateTwin', queryCondition, updateTwin })
  const cloudToDeviceMethod = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 20 }
  const reboot = { type: 'scheduleDeviceMethod', queryCondition, cloudToDeviceMethod }
  await putJob(hub, `reboots-${round}`, reboot)
  await ending(hub, `twins-${round}`)
  await ending(hub, `reboots-${round}`)
  await putJob(hub, `cancelled-${round}`, reboot)
  await hub.request('POST', `/jobs/v2/cancelled-${round}/cancel`)
  await ending(hub, `cancelled-${round}`)
}

async function withoutData(prometheus: RunningPrometheus): Promise<string[]> {
  const found: string[] = []
  for (const { name, targets } of panels) {
    for (const { expr } of targets) {
      const values = await prometheus.query(withVariables(expr))
      // The first moments of a quantile divide nothing by nothing.
      if (!values.some(Number.isFinite)) found.push(`${name}: ${expr}`)
    }
  }
  return found
}
