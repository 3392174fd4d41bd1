import { loadConfig, type RunningHub, runRoles } from '@muster/runtime'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'

/** A clock whose trust is given by hand, and which counts the questions for it. */
function givenClock() {
  const state = { isTrusted: false, questions: 0 }
  return {
    state,
    clock: {
      now: () => new Date(),
      isTrusted() {
        state.questions += 1
        return state.isTrusted
      },
    },
  }
}

const dispatcher = givenClock()
const worker = givenClock()
let hub: TestHub
let workerHub: RunningHub
beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name !== 'worker'), clock: dispatcher.clock })
  const config = loadConfig({ dataDir: hub.environment.MUSTER_DATA_DIR ?? '' }, hub.environment)
  workerHub = await runRoles(
    roles.filter(({ name }) => name === 'worker'),
    config,
    { clock: worker.clock },
  )
})
afterAll(async () => {
  await workerHub.stop('the test is over')
  await hub[Symbol.asyncDispose]()
})

it('C3 a dispatcher that does not trust its time starts nothing, and such a worker claims nothing', async () => {
  for (const deviceId of ['one', 'other']) await hub.request('PUT', `/devices/${deviceId}`, { deviceId })
  await putJob(hub, 'patient', {
    type: 'scheduleUpdateTwin',
    queryCondition: '*',
    updateTwin: { etag: '*', tags: { done: true } },
  })

  // Each sweep asks about once a second, and the wake-up of the job asks once.
  const asked = (clock: typeof dispatcher, questions: number) =>
    eventually(() => expect(clock.state.questions).toBeGreaterThan(questions), { timeoutMs: 20_000 })
  await asked(dispatcher, 20)
  expect(await statusOf('patient')).not.toBe('running')

  dispatcher.state.isTrusted = true
  const running = await reaching(hub, 'patient', 'pendingCount', 2)
  expect(running.status).toBe('running')
  await asked(worker, 8)
  expect((await reaching(hub, 'patient', 'deviceCount', 2)).deviceJobStatistics).toMatchObject({ pendingCount: 2 })

  worker.state.isTrusted = true
  expect(await ending(hub, 'patient')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { succeededCount: 2 },
  })
})

async function statusOf(jobId: string): Promise<string> {
  const job: { status: string } = JSON.parse(await (await hub.request('GET', `/jobs/v2/${jobId}`)).text())
  return job.status
}
