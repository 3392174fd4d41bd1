import { type JobTemplate, storedJobId } from '@muster/contract'
import { putSchedule, readJob, readSchedule, type ScheduleDraft } from '@muster/store'
import { eventually } from '@muster/testkit'
import { expect, it } from 'vitest'
import { runSchedules } from '../../src/schedules/run-schedules.ts'
import { noon, openHub, type TestHub } from '../webhooks/hub.ts'

const job: JobTemplate = {
  type: 'scheduleUpdateTwin',
  target: { kind: 'devices', deviceIds: ['device-0'] },
  queryCondition: "deviceId IN ['device-0']",
  body: { tags: { a: 1 } },
  maxExecutionTimeInSeconds: 600,
  extensions: {},
}

async function givenSchedule({ db }: TestHub, changes: Partial<ScheduleDraft> = {}): Promise<void> {
  const times = { rhythm: { kind: 'every', seconds: 60 }, startAt: null, endAt: null } as const
  const draft = { scheduleId: 's', times, overlap: 'skip', catchUp: 'none', maxRuns: null, job, ...changes } as const
  await putSchedule(db, draft, 'policy:owner', noon)
}

const at = (seconds: number) => new Date(noon.getTime() + seconds * 1000)

it('R80 a job of a schedule is made once by two dispatchers, and each time wakes one', async () => {
  const hub = await openHub()
  const other = await openHub({ beside: hub })
  await givenSchedule(hub)
  hub.clock.time = at(60)
  other.clock.time = at(60)
  const woken: string[] = []
  const consumers = [hub, other].map(({ bus }) => bus.consumeJobs(async (key) => void woken.push(key)))

  const made = await Promise.all([hub, other, hub, other].map((each) => runSchedules(each, { limit: 10 })))

  expect(made.reduce((sum, count) => sum + count, 0)).toBe(1)
  const found = await readJob(hub.db, storedJobId('s-20260302T120100Z'))
  await eventually(() => expect(woken).toEqual([found?.key]))
  for (const consumer of consumers) await consumer.stop(AbortSignal.timeout(5_000))
})

it('R84 the log tells of runs that were made, skipped and missed', async () => {
  const hub = await openHub()
  await givenSchedule(hub)
  const told: unknown[] = []
  hub.events.on('scheduleRun', ({ outcome, jobId }) => told.push([outcome, jobId]))
  hub.events.on('scheduleMissed', ({ count, lastTime }) => told.push(['missed', count, lastTime]))

  for (const seconds of [60, 120, 400]) {
    hub.clock.time = at(seconds)
    await runSchedules(hub, { limit: 10 })
  }

  expect(told).toEqual([
    ['started', 's-20260302T120100Z'],
    ['skipped', null],
    ['missed', 3, at(300)],
    ['skipped', null],
  ])
  expect(hub.log()).toContain('scheduleMissed')
})

it('R80 a schedule whose run fails is told of, and the others have their turn', async () => {
  const hub = await openHub()
  await givenSchedule(hub, { scheduleId: 'a' })
  await givenSchedule(hub, { scheduleId: 'b' })
  await hub.db.execute(`alter table jobs add check (schedule_id <> 'a')`)
  const failed: string[] = []
  hub.events.on('scheduleFailed', ({ scheduleId }) => failed.push(scheduleId))
  hub.clock.time = at(60)

  expect(await runSchedules(hub, { limit: 10 })).toBe(1)

  expect(failed).toEqual(['a'])
  expect([await readSchedule(hub.db, 'a'), await readSchedule(hub.db, 'b')]).toMatchObject([
    { runCount: 0, nextTime: at(60) },
    { runCount: 1 },
  ])
})
