import { expect, it, onTestFinished } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'
import { curveSeconds, deliveryTimes, ramp, readRow, tooEarly } from './recorded.ts'

const methodJob = {
  type: 'scheduleDeviceMethod',
  queryCondition: '*',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null },
}

it('R33 R36 PATCH of the rate of a running job is in effect though its workers sleep', async () => {
  const hub = await start()
  await using fleet = await givenFleet(hub, { count: 30, prefix: 'patched', tags: {} })
  await fleet.connect()
  // The second device would come after half a minute.
  await putJob(hub, 'patched', { ...methodJob, rollout: { maximumPerMinute: 2 } })
  await reaching(hub, 'patched', 'succeededCount', 1)

  const changed = await hub.request('PATCH', '/jobs/v2/patched', { rollout: { maximumPerMinute: 6_000 } })
  const history = await ending(hub, 'patched').then(() => hub.request('GET', '/jobs/v2/patched/history'))

  expect(changed.status).toBe(200)
  const events: { kind: string; time: string }[] = JSON.parse(await history.text())
  const changedAt = Date.parse(events.find(({ kind }) => kind === 'changed')?.time ?? '') / 1_000
  const [, second = 0, ...others] = await deliveryTimes(hub.running.hub.db, 'patched')
  expect(others).toHaveLength(28)
  // A wake-up that sleeps would come up to seven seconds later.
  expect(second - changedAt).toBeLessThan(4)
})

it('R30 R32 a ramp follows its curve within a tenth', async () => {
  const hub = await start()
  const { db } = hub.running.hub
  await using fleet = await givenFleet(hub, { count: 60, prefix: 'ramp', tags: {}, behaviour: { latencyMs: [10, 50] } })
  await fleet.connect()

  await putJob(hub, 'ramp', { ...methodJob, rollout: ramp })
  const ended = await ending(hub, 'ramp')

  expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: { succeededCount: 60 } })
  const times = await deliveryTimes(db, 'ramp')
  const { rate, notified, freeAt } = await readRow(db, 'ramp')
  expect([rate, notified, times.length, tooEarly(times)]).toEqual([1_200, 60, 60, 0])
  // The time up to which the rate is used. It begins half a second before the first call, and passes over time that nobody used.
  const used = freeAt - (times[0] ?? 0) + 0.5
  expect(used / curveSeconds(60)).toBeGreaterThan(0.9)
  expect(used / curveSeconds(60)).toBeLessThan(1.1)
})

async function start(): Promise<TestHub> {
  const hub = await startHub()
  onTestFinished(() => hub[Symbol.asyncDispose]())
  return hub
}
