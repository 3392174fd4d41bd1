import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, noon, openApi, tokenOf } from '../api.ts'
import { startLiveApi } from '../live-api.ts'
import { putJob } from './listen-to.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api[Symbol.asyncDispose]())

describe('E1 the history of a job', () => {
  it('tells who made it and who cancelled it, and comes in pages', async () => {
    await putJob(api, 'told')
    await api.send('POST', '/jobs/v2/told/cancel', undefined, { policy: 'service' })

    const whole = await api.send('GET', '/jobs/v2/told/history')
    const first = await api.send('GET', '/jobs/v2/told/history?pageSize=1')
    const continuation = first.headers.get('x-ms-continuation') ?? ''
    const second = await api.send('GET', '/jobs/v2/told/history', undefined, {
      headers: { 'x-ms-continuation': continuation, 'x-ms-max-item-count': '1' },
    })

    const common = { jobId: 'told', time: noon.toISOString(), clientAddress: null, type: 'scheduleUpdateTwin' }
    expect(whole.body).toEqual([
      { ...common, eventId: api.eventIds.of(1), kind: 'created', actor: 'policy:iothubowner' },
      { ...common, eventId: api.eventIds.of(2), kind: 'cancelled', actor: 'policy:service', status: 'cancelled' },
    ])
    expect([...first.body, ...second.body]).toEqual(whole.body)
    expect([continuation === '', second.headers.has('x-ms-continuation')]).toEqual([false, false])
    expect(whole.headers.get('x-ms-item-type')).toBe('JobEvent')
  })

  it('has nothing of a request that changed nothing', async () => {
    await putJob(api, 'still')
    await api.send('POST', '/jobs/v2/still/cancel')

    const answers = [
      await api.send('PUT', '/jobs/v2/still', { type: 'scheduleUpdateTwin', updateTwin: { etag: '*' } }),
      await api.send('POST', '/jobs/v2/still/cancel'),
      await api.send('POST', '/jobs/v2/still/cancel', undefined, { policy: 'registryRead' }),
    ]

    expect(answers.map(({ status }) => status)).toEqual([400, 200, 401])
    const { body } = await api.send('GET', '/jobs/v2/still/history')
    expect(body.map(({ kind }: { kind: string }) => kind)).toEqual(['created', 'cancelled'])
  })

  it('has a job for the methods of one device, too', async () => {
    await api.send('PUT', '/jobs/v2/d1/methods/single', { cloudToDeviceMethod: { methodName: 'm' } })

    const { body } = await api.send('GET', '/jobs/v2/single/history')

    expect(body).toMatchObject([{ kind: 'created', type: 'scheduleDeviceMethod', actor: 'policy:iothubowner' }])
  })

  it('is refused for a job that is not there, and without the permission', async () => {
    const authorization = tokenOf(api, 'registryReadWrite')
    const answers = [
      await api.send('GET', '/jobs/v2/nowhere/history'),
      await api.send('GET', '/jobs/v2/told/history', undefined, { authorization }),
    ]

    expect(answers.map(({ status, headers }) => [status, headers.get('iothub-errorcode')])).toEqual([
      [404, 'JobNotFound'],
      [401, 'IotHubUnauthorized'],
    ])
  })
})

it('E1 the history tells from which address a change was asked for', async () => {
  await using live = await startLiveApi({ MUSTER_TRUSTED_PROXIES: '127.0.0.1' })
  const send = (method: string, path: string, forwardedFor: string, body?: object) =>
    fetch(`http://127.0.0.1:${live.http}${path}?api-version=2021-04-12`, {
      method,
      headers: { authorization: live.token, 'x-forwarded-for': forwardedFor },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const job = { type: 'scheduleUpdateTwin', updateTwin: { etag: '*', tags: {} }, queryCondition: '*' }
  await send('PUT', '/jobs/v2/from', '10.1.2.3', job)
  await send('POST', '/jobs/v2/from/cancel', '10.4.5.6')

  const response = await send('GET', '/jobs/v2/from/history', '10.7.8.9')

  expect(await response.json()).toMatchObject([
    { kind: 'created', clientAddress: '10.1.2.3' },
    { kind: 'cancelled', clientAddress: '10.4.5.6' },
  ])
})
