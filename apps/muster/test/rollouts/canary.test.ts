import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const methodJob = {
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 5 },
}
const get = async (path: string) => JSON.parse(await (await hub.request('GET', path)).text())

it('R16 R25 a canary of 5 % that fails cancels the job, with exact numbers, and nothing beyond it is called', async () => {
  const canary = { size: '5%', successThreshold: 90, abort: { failurePercent: 20, minEnded: 5, action: 'cancel' } }
  // Chosen by a tag, so that it is the same devices that do not answer.
  await using silent = await givenFleet(hub, {
    count: 2,
    prefix: 'dead',
    tags: { site: 'a', rank: 1 },
    behaviour: { silent: true },
  })
  await using prompt = await givenFleet(hub, { count: 98, prefix: 'live', tags: { site: 'a', rank: 2 } })
  await Promise.all([silent.connect(), prompt.connect()])

  await putJob(hub, 'canary', {
    ...methodJob,
    queryCondition: "tags.site = 'a'",
    rollout: { stages: [canary, {}], order: { tag: 'tags.rank' } },
  })
  const ended = await ending(hub, 'canary')

  expect(ended).toMatchObject({
    status: 'cancelled',
    failureReason: 'Stage 0: 2 of 5 devices failed, 40.00 %; at 20 % the job stops',
    deviceJobStatistics: { deviceCount: 100, succeededCount: 3, failedCount: 2, canceledCount: 95 },
  })
  expect(silent.methodCallCount + prompt.methodCallCount).toBe(5)
})

it('R16 R18 R21 a job goes through all of its stages by itself, one after the other', async () => {
  await using fleet = await givenFleet(hub, { count: 60, prefix: 'good', tags: { site: 'b' } })
  await fleet.connect()
  const stages = [
    { size: '5%', successThreshold: 100, soakSeconds: 1 },
    { size: '25%', successThreshold: 90 },
    { size: 10 },
    {},
  ]

  await putJob(hub, 'staged', { ...methodJob, queryCondition: "tags.site = 'b'", rollout: { stages } })
  const ended = await ending(hub, 'staged')

  expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: { deviceCount: 60, succeededCount: 60 } })
  expect(fleet.methodCallCount).toBe(60)
  const history: readonly { kind: string; stageNo?: number; deviceCount?: number }[] =
    await get('/jobs/v2/staged/history')
  expect(
    history.flatMap(({ kind, stageNo, deviceCount }) => (kind === 'stage' ? [[stageNo, deviceCount]] : [])),
  ).toEqual([
    [1, 15],
    [2, 10],
    [3, 32],
  ])
})

it('R17 R20 a gate that is not reached pauses the job, and somebody who asks for the next stage goes on', async () => {
  await using fleet = await givenFleet(hub, { count: 10, prefix: 'some', tags: { site: 'c' } })
  await fleet.connect()

  await putJob(hub, 'held', {
    ...methodJob,
    deviceIds: ['nobody', ...Array.from({ length: 10 }, (_, no) => `some-000${no}`)],
    rollout: { stages: [{ size: 4, successThreshold: 80 }, {}], order: 'id' },
  })
  const text = '3 of 4 devices of stage 0 succeeded, 75.00 %, and all have ended; the next stage needs 80 %'
  await eventually(
    async () => {
      const history: readonly object[] = await get('/jobs/v2/held/history')
      expect(history.at(-1)).toMatchObject({ kind: 'paused', actor: null, reason: text })
    },
    { timeoutMs: 20_000 },
  )
  const { items } = await get('/jobs/v2/held/stages')
  const next = await hub.request('POST', '/jobs/v2/held/stages/next')

  expect(items[0].waitsFor).toEqual({ kind: 'failed', text })
  expect(fleet.methodCallCount).toBe(3)
  expect(next.status).toBe(200)
  expect(await ending(hub, 'held')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 11, succeededCount: 10, failedCount: 1 },
  })
})

it('R16 a twin job has stages too', async () => {
  await using _ = await givenFleet(hub, { count: 20, prefix: 'twin', tags: { site: 'd' } })

  await putJob(hub, 'twins', {
    type: 'scheduleUpdateTwin',
    queryCondition: "tags.site = 'd'",
    updateTwin: { etag: '*', tags: { seen: true } },
    rollout: { stages: [{ size: '10%', successThreshold: 100 }, { size: '50%' }, {}] },
  })

  expect(await ending(hub, 'twins')).toMatchObject({ status: 'completed', deviceJobStatistics: { succeededCount: 20 } })
})
