import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Api, hostName, noon, openApi, tokenOf } from '../api.ts'
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
const post = (path: string, body?: unknown) => api.send('POST', `/jobs/v2/${path}`, body)
const get = async (jobId: string) => (await api.send('GET', `/jobs/v2/${jobId}`)).body
const at = (time: string) => new Date(`2026-03-02T${time}Z`)

describe('R38 a pause', () => {
  it('is of a job that is queued, scheduled or runs, which keeps its status', async () => {
    await api.send('PUT', '/jobs/v2/queued', job)
    await api.send('PUT', '/jobs/v2/scheduled', { ...job, startTime: '2026-03-02T13:00:00Z' })
    await givenStartedJob(api, 'running', '*')

    for (const status of ['queued', 'scheduled', 'running']) {
      const paused = await post(`${status}/pause`)
      const resumed = await post(`${status}/resume`)

      expect([paused.status, paused.body]).toMatchObject([200, { status, pausedTime: '2026-03-02T12:00:00.000Z' }])
      expect([resumed.status, resumed.body.status, 'pausedTime' in resumed.body]).toEqual([200, status, false])
    }
  })

  it('R39 of a running job whose window is over is refused, because the job ends', async () => {
    await givenStartedJob(api, 'over', '*')
    api.clock.time = at('13:00:00')

    const refused = await post('over/pause')
    const shown = await get('over')

    expect([refused.status, refused.headers.get('iothub-errorcode')]).toEqual([
      405,
      'OperationNotAllowedInCurrentState',
    ])
    expect(refused.body.Message).toContain('its window is over')
    expect('pausedTime' in shown).toBe(false)
  })

  it('R41 shows who paused the job and why, but not in the vocabulary of 2016, and is in the history', async () => {
    await api.send('PUT', '/jobs/v2/shown', job)
    await post('shown/pause', { reason: 'wrong firmware' })

    const shown = await get('shown')
    const of2016 = await api.send('GET', '/jobs/v2/shown', undefined, { apiVersion: '2016-11-14' })
    await post('shown/resume')
    const { body: history } = await api.send('GET', '/jobs/v2/shown/history')

    expect(shown).toMatchObject({
      pausedTime: '2026-03-02T12:00:00.000Z',
      pausedBy: 'policy:iothubowner',
      pauseReason: 'wrong firmware',
    })
    expect(Object.keys(of2016.body).filter((name) => /pause/i.test(name))).toEqual([])
    expect(history.map(({ kind, actor, reason }: Record<string, string>) => [kind, actor, reason])).toEqual([
      ['created', 'policy:iothubowner', undefined],
      ['paused', 'policy:iothubowner', 'wrong firmware'],
      ['resumed', 'policy:iothubowner', undefined],
    ])
  })

  it('R40 of a paused job is answered with 200 and changes nothing, and so is the resumption of one that is not', async () => {
    await api.send('PUT', '/jobs/v2/again', job)
    await post('again/pause', { reason: 'first' })
    api.clock.time = at('12:00:10')

    const again = await post('again/pause', { reason: 'second' })
    const resumed = [await post('again/resume'), await post('again/resume')]
    const { body: history } = await api.send('GET', '/jobs/v2/again/history')

    expect([again.status, again.body]).toMatchObject([
      200,
      { pauseReason: 'first', pausedTime: '2026-03-02T12:00:00.000Z' },
    ])
    expect(resumed.map(({ status }) => status)).toEqual([200, 200])
    expect(history.map(({ kind }: { kind: string }) => kind)).toEqual(['created', 'paused', 'resumed'])
  })

  it.each(['pause', 'resume'])('R40 %s: of an ended or unknown job is refused', async (action) => {
    await api.send('PUT', `/jobs/v2/ended-${action}`, job)
    await post(`ended-${action}/cancel`)

    const refused = await post(`ended-${action}/${action}`)
    const unknown = await post(`none/${action}`)

    expect([refused.status, refused.body.Message]).toEqual([
      405,
      `ErrorCode:OperationNotAllowedInCurrentState;Job cannot be ${action}d in 'Cancelled' status.`,
    ])
    expect([unknown.status, unknown.headers.get('iothub-errorcode')]).toEqual([404, 'JobNotFound'])
  })

  it.each([
    [{ reson: 'x' }, 'reson is not known, expected one of reason, pauseTimeoutSeconds. The nearest is reason'],
    [{ reason: 5 }, 'reason must be a string, got 5'],
    [{ reason: '' }, 'reason must be at least 1 characters long, got ""'],
    [{ reason: 'x'.repeat(513) }, 'reason must be at most 512 characters long, got '],
    [{ reason: 'a\u0000b' }, 'reason must be without U+0000, got '],
    [{ pauseTimeoutSeconds: 0 }, 'pauseTimeoutSeconds must be at least 1, got 0'],
    [{ pauseTimeoutSeconds: 2_592_001 }, 'pauseTimeoutSeconds must be at most 2592000, got 2592001'],
    [{ pauseTimeoutSeconds: 1.5 }, 'pauseTimeoutSeconds must be an integer, got 1.5'],
    [[], 'the body must be an object, got []'],
  ])('R41 %j is refused', async (body, message) => {
    await api.send('PUT', '/jobs/v2/bad-pause', job)

    const refused = await post('bad-pause/pause', body)

    expect(refused.status).toBe(400)
    expect(refused.body.Message).toContain(message)
    expect((await get('bad-pause')).pausedTime).toBeUndefined()
  })

  it('R38 needs no body', async () => {
    await api.send('PUT', '/jobs/v2/bare', job)
    const { status } = await api.app.request(`https://${hostName}/jobs/v2/bare/pause?api-version=2021-04-12`, {
      method: 'POST',
      headers: { authorization: tokenOf(api, 'service') },
    })

    expect(status).toBe(200)
  })
})

it('R42 a job says for how long it may be paused, within the bounds', async () => {
  const created = await api.send('PUT', '/jobs/v2/patient', { ...job, pauseTimeoutSeconds: 3600 })
  const refused = await api.send('PUT', '/jobs/v2/impatient', { ...job, pauseTimeoutSeconds: 0 })

  expect([created.status, (await get('patient')).pauseTimeoutSeconds]).toEqual([200, 3600])
  expect([refused.status, refused.body.Message]).toEqual([
    400,
    'ErrorCode:ArgumentInvalid;pauseTimeoutSeconds must be at least 1, got 0',
  ])
})
