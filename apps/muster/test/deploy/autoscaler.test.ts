import { eventually, startPrometheus } from '@muster/testkit'
import { expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { autoscalerQueries } from '../documents/metric-uses.ts'
import { startHub } from '../hub.ts'
import { putJob, reaching } from '../jobs.ts'
import { startProcess } from '../role-process.ts'
import { registered } from '../simulated.ts'

it('L9 keda-prometheus asks for as many workers as /internal/scaling, of calls and twins', async () => {
  const settings = {
    MUSTER_CALLS_IN_FLIGHT: '10',
    MUSTER_WORKER_CONCURRENCY: '1',
    MUSTER_OPERATOR_TOKEN: 'x'.repeat(32),
  }
  // No worker, so that all work stays ready.
  await using hub = await startHub({ roles: roles.filter(({ name }) => name === 'api'), settings })
  await using first = await startProcess(hub, ['dispatcher'])
  await using second = await startProcess(hub, ['dispatcher'])
  await using prometheus = await startPrometheus(
    [first, second].map(({ ports }) => ({ component: 'dispatcher', port: ports.http })),
    { ruleFiles: [] },
  )
  await registered(hub, { count: 30, prefix: 'd', tags: {} })
  const cloudToDeviceMethod = { methodName: 'reboot', responseTimeoutInSeconds: 30 }
  await putJob(hub, 'calls', { type: 'scheduleDeviceMethod', queryCondition: '*', cloudToDeviceMethod })
  await putJob(hub, 'twins', {
    type: 'scheduleUpdateTwin',
    queryCondition: '*',
    updateTwin: { etag: '*', tags: { a: 1 } },
  })
  await reaching(hub, 'calls', 'pendingCount', 30)
  await reaching(hub, 'twins', 'pendingCount', 30)

  const asked = await eventually(
    async () => {
      const values = await prometheus.query(autoscalerQueries().get('muster-worker') ?? '')
      expect(values).toEqual([expect.closeTo(30 / 10 + 30 / 100_000, 6)])
      return values
    },
    { timeoutMs: 60_000 },
  )

  const page = await fetch(`http://127.0.0.1:${hub.httpPort}/internal/scaling`, {
    headers: { authorization: `Bearer ${settings.MUSTER_OPERATOR_TOKEN}` },
  })
  // The page rounds to three digits.
  expect(await page.json()).toMatchObject({ worker: Number(asked[0]?.toFixed(3)) })
})
