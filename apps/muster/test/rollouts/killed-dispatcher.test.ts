import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob } from '../jobs.ts'
import { startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name !== 'dispatcher') })
})
afterAll(() => hub[Symbol.asyncDispose]())

const get = async (path: string) => JSON.parse(await (await hub.request('GET', path)).text())
const stagesOpened = async (jobId: string) => {
  const history: readonly { kind: string; stageNo?: number }[] = await get(`/jobs/v2/${jobId}/history`)
  return history.flatMap(({ kind, stageNo }) => (kind === 'stage' ? [stageNo] : []))
}
const methodJob = {
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
}

it('R21 J14 a dispatcher is killed at a gate: the next one opens it, once, and every device is called once', async () => {
  await using fleet = await givenFleet(hub, { count: 40, prefix: 'kill', tags: { site: 'kill' } })
  await fleet.connect()
  const first = await startProcess(hub, ['dispatcher'])
  // Only a sweep sees the end of a soak.
  const stages = [{ size: 4, soakSeconds: 2 }, {}]
  await putJob(hub, 'gated', { ...methodJob, queryCondition: "tags.site = 'kill'", rollout: { stages } })

  await eventually(async () => expect((await get('/jobs/v2/gated/stages')).items[0]?.waitsFor.kind).toBe('soak'), {
    timeoutMs: 30_000,
  })
  await first[Symbol.asyncDispose]()
  const whileNobody = await stagesOpened('gated')
  await using _ = await startProcess(hub, ['dispatcher'])
  const ended = await ending(hub, 'gated')

  expect(whileNobody).toEqual([])
  expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: { deviceCount: 40, succeededCount: 40 } })
  expect(await stagesOpened('gated')).toEqual([1])
  expect(fleet.methodCallCount).toBe(40)
}, 120_000)

it('R21 two dispatchers stand at the same gates: each opens once', async () => {
  await using fleet = await givenFleet(hub, { count: 30, prefix: 'two', tags: { site: 'two' } })
  await fleet.connect()
  await using _first = await startProcess(hub, ['dispatcher'])
  await using _second = await startProcess(hub, ['dispatcher'])
  const stages = [...Array.from({ length: 5 }, () => ({ size: 4, soakSeconds: 1, successThreshold: 50 })), {}]

  await putJob(hub, 'both', { ...methodJob, queryCondition: "tags.site = 'two'", rollout: { stages } })
  const ended = await ending(hub, 'both')

  expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: { deviceCount: 30, succeededCount: 30 } })
  expect(await stagesOpened('both')).toEqual([1, 2, 3, 4, 5])
  expect(fleet.methodCallCount).toBe(30)
}, 120_000)
