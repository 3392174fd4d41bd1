import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { ending, putJob, reaching } from '../../jobs.ts'
import { givenFleet } from '../../simulated.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub({ settings: { MUSTER_CALLS_IN_FLIGHT: '4' } })
})
afterAll(() => hub[Symbol.asyncDispose]())

it('J21 while silent devices take every place for calls, a twin job goes on, and a method job starts when places are free', async () => {
  await using silent = await givenFleet(hub, {
    count: 4,
    prefix: 'mute',
    tags: { mute: true },
    behaviour: { silent: true },
  })
  await using prompt = await givenFleet(hub, { count: 1, prefix: 'prompt', tags: { mute: false } })
  await Promise.all([silent.connect(), prompt.connect()])
  const reboot = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 5 }

  await putJob(hub, 'mute', {
    type: 'scheduleDeviceMethod',
    queryCondition: 'tags.mute = true',
    cloudToDeviceMethod: reboot,
  })
  await reaching(hub, 'mute', 'runningCount', 4)
  await putJob(hub, 'behind', {
    type: 'scheduleDeviceMethod',
    queryCondition: 'tags.mute = false',
    cloudToDeviceMethod: reboot,
  })
  await putJob(hub, 'twins', {
    type: 'scheduleUpdateTwin',
    queryCondition: '*',
    updateTwin: { etag: '*', tags: { seen: true } },
  })
  const twins = await ending(hub, 'twins')
  const mute = await reaching(hub, 'mute', 'runningCount', 4)
  const behind = await ending(hub, 'behind')

  expect(twins).toMatchObject({ deviceJobStatistics: { deviceCount: 5, succeededCount: 5 } })
  expect(mute).toMatchObject({ status: 'running' })
  expect(behind).toMatchObject({ deviceJobStatistics: { succeededCount: 1 } })
})
