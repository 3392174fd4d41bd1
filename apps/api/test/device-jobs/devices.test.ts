import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { givenDevices } from '../given-devices.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'
import { recordOutcomes } from './record-outcomes.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  await givenDevices(api, 10)
  await api.send('PUT', '/jobs/v2/later', {
    type: 'scheduleDeviceMethod',
    cloudToDeviceMethod: { methodName: 'ring' },
    queryCondition: '*',
    startTime: '2026-03-03T12:00:00Z',
  })
  await givenStartedJob(api, 'j1', '*')
  const error = (code: string) => ({ code, description: `text of ${code}` })
  await recordOutcomes(api, [
    { deviceId: 'd0', response: '{"status":200,"payload":{"serial":9007199254740993}}' },
    { deviceId: 'd1', response: '{"status":500,"payload":null}' },
    { deviceId: 'd2', error: error('GatewayTimeout') },
    { deviceId: 'd3', error: error('GatewayTimeout') },
    { deviceId: 'd4', error: error('GenericBadGateway') },
  ])
})
afterAll(() => api[Symbol.asyncDispose]())

const list = (query: string, options = {}) => api.send('GET', `/jobs/v2/j1/devices?${query}`, undefined, options)
const ids = ({ body }: Awaited<ReturnType<typeof list>>) =>
  body.items.map(({ deviceId }: { deviceId: string }) => deviceId).join(' ')

describe('the devices of a job', () => {
  it('D1 are rows as a query shows them, with the counts of the job', async () => {
    const { body } = await list('')
    const asked = await api.send('POST', '/devices/query', { query: "SELECT * FROM devices.jobs WHERE jobId = 'j1'" })

    expect(body).toEqual({
      items: asked.body,
      counts: {
        byStatus: { pending: 5, running: 0, completed: 2, failed: 3, canceled: 0 },
        byErrorCode: { GatewayTimeout: 2, GenericBadGateway: 1 },
      },
    })
  })

  it('D1 have the answers of devices with their numbers as they were sent', async () => {
    expect((await list('deviceId=d0')).text).toContain('"payload":{"serial":9007199254740993}')
  })

  it.each([
    ['status=failed', 'd2 d3 d4'],
    ['status=FAILED,%20completed', 'd0 d1 d2 d3 d4'],
    ['Status=cancelled', ''],
    ['errorCode=GatewayTimeout', 'd2 d3'],
    ['errorCode=GatewayTimeout,GenericBadGateway', 'd2 d3 d4'],
    ['errorCode=GatewayTimeout&status=completed', ''],
    ['errorCode=%00', ''],
    ['deviceId=d7', 'd7'],
    ['deviceId=d', ''],
    ['deviceId=d0,d1', ''],
    ['deviceId=%00', ''],
    ['status=&errorCode=&deviceId=', 'd0 d1 d2 d3 d4 d5 d6 d7 d8 d9'],
  ])('D1 are those that %s selects', async (query, expected) => {
    const reply = await list(query)

    expect([reply.status, ids(reply)]).toEqual([200, expected])
  })

  it('D2 come in pages, of which the first counts and the last has no token', async () => {
    const first = await list('pageSize=4')
    const second = await list(`pageSize=4&continuationToken=${first.body.continuationToken}`)
    const third = await list('pageSize=4', { headers: { 'x-ms-continuation': second.body.continuationToken } })

    expect([first, second, third].map(ids)).toEqual(['d0 d1 d2 d3', 'd4 d5 d6 d7', 'd8 d9'])
    expect([first, second, third].map(({ body }) => 'counts' in body)).toEqual([true, false, false])
    expect('continuationToken' in third.body).toBe(false)
  })

  it('D2 are counted for no look at a single device', async () => {
    expect((await list('deviceId=d7')).body).not.toHaveProperty('counts')
    expect((await list('status=failed')).body).toHaveProperty('counts')
  })

  it('D2 are none before the job has started', async () => {
    const { status, body } = await api.send('GET', '/jobs/v2/later/devices')

    expect([status, body.items, body.counts.byErrorCode]).toEqual([200, [], {}])
    expect(new Set(Object.values(body.counts.byStatus))).toEqual(new Set([0]))
  })

  it('spell the type of the job as the api-version does', async () => {
    const { body } = await list('deviceId=d0', { apiVersion: '2016-11-14' })

    expect(body.items[0].jobType).toBe('scheduledDeviceMethod')
  })

  it('D3 refuse a word that they do not know, and say which ones they know', async () => {
    const refused = await Promise.all([
      list('status=failed,done'),
      list('format=xml'),
      list('pageSize=many'),
      list('continuationToken=abc.def'),
    ])

    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 400])
    expect(refused.map(({ body }) => body.Message)).toEqual([
      expect.stringContaining(
        'status must be one of pending, running, completed, failed, canceled, skipped, or several separated by commas, got "done"',
      ),
      expect.stringContaining('format must be one of json, csv, ndjson, got "xml"'),
      expect.stringContaining('page size must be a whole number from 1 to 1000, got "many"'),
      expect.stringContaining('continuation token "abc.def" is not from a page of this query'),
    ])
  })

  it('D3 refuse the token of another filter', async () => {
    const { body } = await list('pageSize=4')

    const refused = await list(`status=failed&continuationToken=${body.continuationToken}`)

    expect(refused.body.Message).toContain('ErrorCode:ArgumentInvalid;continuation token')
  })

  it.each(['', '?format=csv', '?format=ndjson'])(
    'D3 are not found where there is no such job, with %j',
    async (query) => {
      for (const id of ['nobody', 'a(b)']) {
        const { status, headers } = await api.send('GET', `/jobs/v2/${id}/devices${query}`)

        expect([status, headers.get('iothub-errorcode')]).toEqual([404, 'JobNotFound'])
      }
    },
  )
})
