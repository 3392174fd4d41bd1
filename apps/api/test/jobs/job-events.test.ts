import { expect, it } from 'vitest'
import { openApi } from '../api.ts'

const job = {
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null },
  queryCondition: '*',
}

it('J45 the events of a job name the account that made it, and the one that cancelled it', async () => {
  await using api = await openApi()
  await api.send('PUT', '/jobs/v2/told', job, { policy: 'service' })
  await api.send('POST', '/jobs/v2/told/cancel', undefined, { policy: 'iothubowner' })

  const { rows } = await api.db.execute('select kind, actor from job_events order by event_no')

  expect(rows).toEqual([
    { kind: 'created', actor: 'policy:service' },
    { kind: 'cancelled', actor: 'policy:iothubowner' },
  ])
})
