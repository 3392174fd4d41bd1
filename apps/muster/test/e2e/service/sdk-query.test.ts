import { JobClient, Registry, Twin } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHub } from '../../hub.ts'
import { inCallbackForm } from '../callback-form.ts'
import { failureOf } from '../failure-of.ts'
import { startSdkHub } from '../sdk-hub.ts'

let hub: TestHub
let registry: Registry
let jobs: JobClient
beforeAll(async () => {
  hub = await startSdkHub()
  registry = Registry.fromConnectionString(hub.connectionString)
  jobs = JobClient.fromConnectionString(hub.connectionString)
  await registry.addDevices(['d1', 'd2', 'd3', 'd4', 'd5'].map((deviceId) => ({ deviceId, tags: { floor: 3 } })))
  await registry.addModule({ deviceId: 'd2', moduleId: 'door' })
})
afterAll(() => hub[Symbol.asyncDispose]())

const all = 'SELECT * FROM devices'
const idsOf = (rows: readonly { deviceId: string }[] | undefined) => rows?.map(({ deviceId }) => deviceId)

describe('queries of twins, modules and device jobs', () => {
  it('Registry.createQuery with Query.next reads one page after the other, by their tokens', async () => {
    const query = registry.createQuery(all, 2)
    const pages: unknown[] = []

    const { result } = await query.next()
    pages.push(idsOf(result))
    while (query.hasMoreResults) pages.push(idsOf((await query.next(query.continuationToken)).result))

    expect(pages).toEqual([['d1', 'd2'], ['d3', 'd4'], ['d5']])
    expect(query.continuationToken).toBeUndefined()
  })

  it('Query.next in callback form keeps the token itself', async () => {
    const query = registry.createQuery(all, 3)

    const [first] = await inCallbackForm((done) => query.next(done))
    const { continuationToken } = query
    const [second] = await inCallbackForm((done) => query.next(done))
    const hasMore = query.hasMoreResults
    const [secondAgain, response] = await inCallbackForm((done) => query.next(continuationToken, done))

    expect([first, second]).toMatchObject([
      [{ deviceId: 'd1' }, { deviceId: 'd2' }, { deviceId: 'd3' }],
      [{ deviceId: 'd4' }, { deviceId: 'd5' }],
    ])
    expect(hasMore).toBe(false)
    expect(secondAgain).toEqual(second)
    expect(response).toMatchObject({ statusCode: 200, headers: { 'x-ms-item-type': 'Twin' } })
  })

  it('Query.next in promise form without a token reads the first page again', async () => {
    const query = registry.createQuery(all, 4)

    const { result: first } = await query.next()
    const { result: again } = await query.next()

    expect(idsOf(first)).toEqual(['d1', 'd2', 'd3', 'd4'])
    expect(again).toEqual(first)
  })

  it('Query.nextAsTwin reads twins that can be changed', async () => {
    const query = registry.createQuery('SELECT * FROM devices WHERE tags.floor = 3', 2)

    const { result: first } = await query.nextAsTwin()
    const { continuationToken } = query
    const { result: second } = await query.nextAsTwin()
    const { result: secondAgain } = await query.nextAsTwin(continuationToken)
    const [third] = await inCallbackForm<Twin[], unknown>((done) => query.nextAsTwin(done))
    const [secondCalled] = await inCallbackForm((done) => query.nextAsTwin(continuationToken, done))

    expect([first, second, third].map(idsOf)).toEqual([['d1', 'd2'], ['d3', 'd4'], ['d5']])
    expect([secondAgain, secondCalled]).toEqual([second, second])
    expect(first[0]).toBeInstanceOf(Twin)
    await first[0]?.update({ tags: { seen: true } })
    expect((await registry.getTwin('d1')).responseBody.tags).toEqual({ floor: 3, seen: true })
  })

  it('Query.next reads projections, counts, modules and device jobs as they are', async () => {
    const rowsOf = async (text: string) => (await registry.createQuery(text).next()).result

    expect(await rowsOf("SELECT deviceId, tags.floor FROM devices WHERE deviceId = 'd1'")).toEqual([
      { deviceId: 'd1', floor: 3 },
    ])
    expect(await rowsOf('SELECT COUNT() AS count FROM devices')).toEqual([{ count: 5 }])
    expect(await rowsOf('SELECT * FROM devices.modules')).toMatchObject([{ deviceId: 'd2', moduleId: 'door' }])
    expect(await rowsOf('SELECT * FROM devices.jobs')).toEqual([])
    const { result } = await registry.createQuery('SELECT * FROM devices.modules').nextAsTwin()
    expect(result).toMatchObject([{ deviceId: 'd2', moduleId: 'door' }])
  })

  it('Query.next and Query.nextAsTwin of a query that is none are an ArgumentError with the place', async () => {
    const query = registry.createQuery('SELECT * FROM devices WHERE')

    for (const refused of [await failureOf(query.next()), await failureOf(query.nextAsTwin())]) {
      expect(refused).toMatchObject({
        name: 'ArgumentError',
        status: 400,
        message: expect.stringContaining('Line 1:28 found the end of the text'),
      })
    }
  })
})

describe('the list of jobs', () => {
  it('JobClient.createQuery filters by type and status, and Query.next pages', async () => {
    const start = new Date(Date.now() + 3_600_000)
    const method = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 }
    for (const jobId of ['t1', 't2', 't3']) await jobs.scheduleTwinUpdate(jobId, '*', { etag: '*', tags: {} }, start)
    await jobs.scheduleDeviceMethod('m1', '*', method, start)
    await jobs.cancelJob('t2')

    const twins = jobs.createQuery('scheduleUpdateTwin', undefined, 2)
    const { result: first } = await twins.next()
    const { result: second } = await twins.next(twins.continuationToken)
    const [methods] = await inCallbackForm((done) => jobs.createQuery('scheduleDeviceMethod').next(done))
    const cancelled = await jobs.createQuery(undefined, 'cancelled').next()
    const every = await jobs.createQuery().next()

    expect([first, second]).toMatchObject([[{ jobId: 't3' }, { jobId: 't2' }], [{ jobId: 't1' }]])
    expect(twins.hasMoreResults).toBe(false)
    expect(methods).toMatchObject([{ jobId: 'm1', type: 'scheduleDeviceMethod' }])
    expect(cancelled.result).toMatchObject([{ jobId: 't2', status: 'cancelled' }])
    expect(every.result.map(({ jobId }: { jobId: string }) => jobId)).toEqual(['m1', 't3', 't2', 't1'])
  })
})
