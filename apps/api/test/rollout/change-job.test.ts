import { readRunningJob } from '@muster/store'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Api, noon, openApi } from '../api.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api[Symbol.asyncDispose]())
beforeEach(() => {
  api.clock.time = noon
})

const job = { type: 'scheduleDeviceMethod', cloudToDeviceMethod: { methodName: 'reboot' }, queryCondition: '*' }
const ramp = { baseRatePerMinute: 5, incrementFactor: 2, rateIncreaseCriteria: { numberOfNotifiedThings: 5 } }
const patch = (jobId: string, body: unknown) => api.send('PATCH', `/jobs/v2/${jobId}`, body)
const get = async (jobId: string) => (await api.send('GET', `/jobs/v2/${jobId}`)).body

describe('R33 PATCH of a job', () => {
  it('changes what it names, answers with the job, and is in the history with who asked for it', async () => {
    await api.send('PUT', '/jobs/v2/changed', { ...job, rollout: { maximumInFlight: 5 }, priority: 9 })

    const answer = await patch('changed', {
      rollout: { maximumPerMinute: 60, maximumInFlight: null },
      priority: 10,
      maxExecutionTimeInSeconds: 120,
    })
    const { body: history } = await api.send('GET', '/jobs/v2/changed/history')

    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({
      jobId: 'changed',
      rollout: { maximumPerMinute: 60 },
      priority: 10,
      maxExecutionTimeInSeconds: 120,
    })
    expect(answer.body.rollout).toEqual({ maximumPerMinute: 60 })
    expect(await get('changed')).toEqual(answer.body)
    expect(history.at(-1)).toMatchObject({
      kind: 'changed',
      actor: 'policy:iothubowner',
      changes: {
        'rollout.maximumPerMinute': 60,
        'rollout.maximumInFlight': null,
        priority: 10,
        maxExecutionTimeInSeconds: 120,
      },
    })
  })

  it('of a running job is what its workers read next', async () => {
    const { key } = await givenStartedJob(api, 'running', '*')

    await patch('running', { rollout: { maximumPerMinute: 600 } })

    expect(await readRunningJob(api.db, key)).toMatchObject({
      isLimited: true,
      extensions: { rollout: { maximumPerMinute: 600 } },
    })
  })

  it('that changes nothing is answered with 200, and is no event', async () => {
    await api.send('PUT', '/jobs/v2/same', { ...job, priority: 9 })

    const { status } = await patch('same', { priority: 9, rollout: { maximumPerMinute: null } })
    const { body: history } = await api.send('GET', '/jobs/v2/same/history')

    expect([status, history.map(({ kind }: { kind: string }) => kind)]).toEqual([200, ['created']])
  })
})

describe('R34 PATCH is refused', () => {
  it.each([
    [{ queryCondition: '*' }, 'queryCondition cannot change once the job is there'],
    [{ cloudToDeviceMethod: { methodName: 'x' } }, 'cloudToDeviceMethod cannot change once the job is there'],
    [{ prioriti: 3 }, 'The nearest is priority'],
    [{ rollout: { maximumPerMinute: 0 } }, 'rollout.maximumPerMinute must be at least 1, got 0'],
    [{ rollout: { exponentialRate: ramp } }, 'rollout.maximumPerMinute is missing'],
    [{}, 'the body changes nothing, expected one of rollout, priority, maxExecutionTimeInSeconds'],
    [[], 'the body must be an object, got []'],
  ])('with %j', async (body, message) => {
    await api.send('PUT', '/jobs/v2/kept', job)
    const before = await get('kept')

    const refused = await patch('kept', body)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain(message)
    expect(await get('kept')).toEqual(before)
  })

  it.each(['running', 'paused'])('with a window that would be over, of a job that is %s', async (state) => {
    const jobId = `short-${state}`
    await givenStartedJob(api, jobId, '*')
    api.clock.time = new Date('2026-03-02T12:01:00Z')
    if (state === 'paused') await api.send('POST', `/jobs/v2/${jobId}/pause`)

    const refused = await patch(jobId, { maxExecutionTimeInSeconds: 60, priority: 3 })
    const kept = await get(jobId)
    const least = await patch(jobId, { maxExecutionTimeInSeconds: 61 })

    expect([refused.status, refused.headers.get('iothub-errorcode')]).toEqual([400, 'ArgumentInvalid'])
    expect(refused.body.Message).toContain('maxExecutionTimeInSeconds must be at least 61, got 60')
    expect([kept.maxExecutionTimeInSeconds, kept.priority]).toEqual([3600, undefined])
    expect([least.status, least.body.maxExecutionTimeInSeconds]).toEqual([200, 61])
  })

  it('of an ended and of an unknown job', async () => {
    await api.send('PUT', '/jobs/v2/ended', job)
    await api.send('POST', '/jobs/v2/ended/cancel')

    const refused = await patch('ended', { priority: 1 })
    const unknown = await patch('none', { priority: 1 })

    expect([refused.status, refused.body.Message]).toEqual([
      405,
      "ErrorCode:OperationNotAllowedInCurrentState;Job cannot be changed in 'Cancelled' status.",
    ])
    expect([unknown.status, unknown.headers.get('iothub-errorcode')]).toEqual([404, 'JobNotFound'])
  })
})
