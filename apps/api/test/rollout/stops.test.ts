import { jsonText } from '@muster/contract'
import { claimChunk, insertWorker, isNotNow, readRunningJob, recordFirstAttempts } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { givenFleet } from '../given-fleet.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api[Symbol.asyncDispose]())

const job = { type: 'scheduleDeviceMethod', cloudToDeviceMethod: { methodName: 'reboot' }, queryCondition: '*' }
const twinJob = { type: 'scheduleUpdateTwin', updateTwin: { etag: '*', tags: { a: 1 } }, queryCondition: '*' }
const stop = (body?: unknown, on = api) => on.send('POST', '/jobs/v2/stop', body)
const isPaused = async (jobId: string) => 'pausedTime' in (await api.send('GET', `/jobs/v2/${jobId}`)).body

describe('R44 a stop', () => {
  it('pauses jobs by the prefix of their ids, and tells how many', async () => {
    await api.send('PUT', '/jobs/v2/fw-1', job)
    await api.send('PUT', '/jobs/v2/fw-2', { ...job, startTime: '2026-03-02T13:00:00Z' })
    await api.send('PUT', '/jobs/v2/other', job)

    const answer = await stop({ jobIdPrefix: 'fw-', reason: 'wrong firmware' })

    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      stopId: expect.stringMatching(/^\d+$/),
      time: '2026-03-02T12:00:00.000Z',
      actor: 'policy:iothubowner',
      reason: 'wrong firmware',
      jobIdPrefix: 'fw-',
      pausedCount: 2,
      handedOverCount: 0,
      undecidedCount: 0,
    })
    expect([await isPaused('fw-1'), await isPaused('fw-2'), await isPaused('other')]).toEqual([true, true, false])
  })

  it('takes the type in any of its spellings, and shows it in that of the caller', async () => {
    await api.send('PUT', '/jobs/v2/twins-1', twinJob)

    const answer = await api.send(
      'POST',
      '/jobs/v2/stop',
      { type: 'scheduledUpdateTwin' },
      { apiVersion: '2016-11-14' },
    )

    expect([answer.status, answer.body.type, answer.body.pausedCount]).toEqual([200, 'scheduledUpdateTwin', 1])
    expect(await isPaused('twins-1')).toBe(true)
  })

  it('without a body is of all jobs, and R46 its resumption undoes it', async () => {
    await using own = await openApi()
    await own.send('PUT', '/jobs/v2/a', job)
    await own.send('PUT', '/jobs/v2/b', twinJob)

    const { body: stopped } = await stop(undefined, own)
    const resumed = await own.send('POST', `/jobs/v2/stops/${stopped.stopId}/resume`)
    const read = await own.send('GET', `/jobs/v2/stops/${stopped.stopId}`)

    expect(stopped).toMatchObject({ pausedCount: 2 })
    expect(resumed.body).toMatchObject({ resumedCount: 2, resumedTime: '2026-03-02T12:00:00.000Z' })
    expect([read.status, read.body]).toEqual([200, resumed.body])
    for (const jobId of ['a', 'b']) {
      const { body: history } = await own.send('GET', `/jobs/v2/${jobId}/history`)
      expect(history.map(({ kind }: { kind: string }) => kind)).toEqual(['created', 'paused', 'resumed'])
    }
  })

  it('R45 is answered when the calls under way are known', async () => {
    await using own = await openApi()
    await givenFleet(own)
    const { key } = await givenStartedJob(own, 'calls', '*')
    await insertWorker(own.db, { workerId: 'w1', leaseUntil: new Date('2026-03-02T12:01:00Z') }, own.clock.now())
    const running = await readRunningJob(own.db, key)
    const claimed = running && (await claimChunk(own.db, running, 'w1', own.clock.now()))
    if (!claimed || isNotNow(claimed)) throw new Error('there was no chunk to claim')

    const answer = stop(undefined, own)
    const stopped = async () => 'pausedTime' in (await own.send('GET', '/jobs/v2/calls')).body
    while (!(await stopped()));
    const outcomes = claimed.deviceIds.map((deviceId) => ({
      deviceId,
      status: 'completed' as const,
      response: jsonText({ status: 200 }),
      deliveredAt: new Date('2026-03-02T12:00:01Z'),
    }))
    await recordFirstAttempts(own.db, [{ claim: claimed, outcomes }], own.clock.now())

    expect((await answer).body).toMatchObject({
      pausedCount: 1,
      handedOverCount: claimed.deviceIds.length,
      undecidedCount: 0,
    })
  })

  it.each([
    [{ reasn: 'x' }, 'The nearest is reason'],
    [{ queryCondition: '*' }, 'queryCondition is not known, expected one of reason, type, jobIdPrefix'],
    [{ type: 'firmware' }, 'type must be one of scheduleUpdateTwin'],
    [{ type: 5 }, 'type must be a string, got 5'],
    [{ jobIdPrefix: '' }, 'jobIdPrefix must be at least 1 characters long, got ""'],
    [{ jobIdPrefix: 'a\u0000' }, 'jobIdPrefix must be without U+0000'],
    [[], 'the body must be an object, got []'],
  ])('with %j is refused, and stops nothing', async (body, message) => {
    await api.send('PUT', '/jobs/v2/goes-on', job)

    const refused = await stop(body)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain(message)
    expect(await isPaused('goes-on')).toBe(false)
  })

  it.each(['999', '0', 'x', '1e3', '99999999999999999999'])('%s is not known', async (stopId) => {
    const answers = [
      await api.send('GET', `/jobs/v2/stops/${stopId}`),
      await api.send('POST', `/jobs/v2/stops/${stopId}/resume`),
    ]

    for (const { status, headers } of answers) {
      expect([status, headers.get('iothub-errorcode')]).toEqual([404, 'GenericNotFound'])
    }
  })

  it.each(['stop', 'stops'])('has its address, so that no job can have the id %s', async (jobId) => {
    const refused = await api.send('PUT', `/jobs/v2/${jobId}`, job)

    expect([refused.status, refused.body.Message]).toEqual([
      400,
      expect.stringContaining(`jobId "${jobId}" is the address of`),
    ])
  })
})
