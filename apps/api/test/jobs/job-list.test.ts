import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, noon, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  const patch = { etag: '*', tags: { a: 1 } }
  for (const [index, jobId] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    api.clock.time = new Date(noon.getTime() + index * 1000)
    const type = index % 2 === 0 ? 'scheduleUpdateTwin' : 'scheduleDeviceMethod'
    await api.send('PUT', `/jobs/v2/${jobId}`, {
      type,
      updateTwin: patch,
      cloudToDeviceMethod: { methodName: 'm' },
      queryCondition: '*',
    })
  }
  await api.send('POST', '/jobs/v2/c/cancel')
})
afterAll(async () => api[Symbol.asyncDispose]())

const ids = (jobs: readonly { jobId: string }[]) => jobs.map(({ jobId }) => jobId).join('')

describe('the list of jobs', () => {
  it('is a bare array, latest first, without a header for more', async () => {
    const reply = await api.send('GET', '/jobs/v2/query')

    expect(ids(reply.body)).toBe('edcba')
    expect(reply.headers.get('x-ms-item-type')).toBe('JobResponse')
    expect(reply.headers.has('x-ms-continuation')).toBe(false)
  })

  it('pages by headers', async () => {
    const first = await api.send('GET', '/jobs/v2/query', undefined, { headers: { 'x-ms-max-item-count': '2' } })
    const second = await api.send('GET', '/jobs/v2/query', undefined, {
      headers: { 'x-ms-max-item-count': '2', ...next(first) },
    })
    const third = await api.send('GET', '/jobs/v2/query', undefined, {
      headers: { 'x-ms-max-item-count': '2', ...next(second) },
    })

    expect([first, second, third].map(({ body }) => ids(body))).toEqual(['ed', 'cb', 'a'])
    expect(third.headers.has('x-ms-continuation')).toBe(false)
  })

  it('pages by query parameters, which the headers override', async () => {
    const first = await api.send('GET', '/jobs/v2/query?pageSize=3')
    const token = encodeURIComponent(next(first)['x-ms-continuation'])
    const second = await api.send('GET', `/jobs/v2/query?pageSize=3&continuationToken=${token}`)
    const small = await api.send('GET', '/jobs/v2/query?pageSize=3', undefined, {
      headers: { 'x-ms-max-item-count': '1' },
    })

    expect([first, second, small].map(({ body }) => ids(body))).toEqual(['edc', 'ba', 'e'])
  })

  it.each([
    ['jobType=scheduleUpdateTwin', 'eca'],
    ['jobType=ScheduleDeviceMethod', 'db'],
    ['jobType=scheduleTwinUpdate&jobStatus=pending', 'ea'],
    ['jobStatus=CANCELED', 'c'],
    ['jobStatus=cancelled', 'c'],
    ['jobStatus=enqueued&jobType=scheduledDeviceMethod', 'db'],
    ['jobStatus=finished', ''],
    ['jobStatus=&jobType=', 'edcba'],
    ['jobType=import', ''],
    ['jobType=Export&jobStatus=completed', ''],
    ['jobType=unknown', ''],
    ['jobType=firmwareUpdate', ''],
    ['jobStatus=Unknown', ''],
    ['jobType=scheduleUpdateTwin&jobStatus=unknown', ''],
  ])('filtered by %s holds %s', async (filter, expected) => {
    const reply = await api.send('GET', `/jobs/v2/query?${filter}`)

    expect(ids(reply.body)).toBe(expected)
  })

  it('filtered by all four parameters of 2016 answers in their vocabulary', async () => {
    const filter = 'jobType=scheduleTwinUpdate&jobStatus=pending&pageSize=1'
    const first = await api.send('GET', `/jobs/v2/query?${filter}`, undefined, { apiVersion: '2016-09-30-preview' })
    const token = next(first)['x-ms-continuation']
    const second = await api.send('GET', `/jobs/v2/query?${filter}&continuationToken=${token}`, undefined, {
      apiVersion: '2016-11-14',
    })

    expect(first.body).toMatchObject([{ jobId: 'e', type: 'scheduledUpdateTwin', status: 'pending' }])
    expect(second.body).toMatchObject([{ jobId: 'a' }])
  })

  it.each([
    ['jobType=rebootAll', 'jobType must be one of scheduleUpdateTwin, '],
    ['jobStatus=lost', 'jobStatus must be one of queued, scheduled, running, completed, failed, cancelled, got "lost"'],
    ['jobType=import&jobStatus=lost', 'jobStatus must be one of'],
    ['jobType=rebootAll&jobStatus=unknown', 'jobType must be one of'],
    ['jobType=import&pageSize=many', 'page size'],
    ['pageSize=many', 'page size must be a whole number from 1 to 1000, got "many"'],
    ['continuationToken=abc', 'continuation token "abc" is not from a page of this query'],
  ])('refuses %s', async (filter, text) => {
    const reply = await api.send('GET', `/jobs/v2/query?${filter}`)

    expect(reply.status).toBe(400)
    expect(reply.body.Message).toContain(`ErrorCode:ArgumentInvalid;${text}`)
  })

  it('refuses the token of another query, and one that was changed', async () => {
    const first = await api.send('GET', '/jobs/v2/query?pageSize=1')
    const token = next(first)['x-ms-continuation']
    const forged = `${Buffer.from('2026-03-02 12:00:01+00/b').toString('base64url')}.${token.split('.')[1]}`

    const elsewhere = await api.send('GET', '/jobs/v2/query?jobStatus=queued', undefined, { headers: next(first) })
    const changed = await api.send('GET', '/jobs/v2/query', undefined, { headers: { 'x-ms-continuation': forged } })

    expect([elsewhere.status, changed.status]).toEqual([400, 400])
  })

  it.each([
    ['0', 'e'],
    ['-5', 'e'],
    ['99999', 'edcba'],
  ])('clamps a page size of %s', async (size, expected) => {
    const reply = await api.send('GET', '/jobs/v2/query', undefined, { headers: { 'x-ms-max-item-count': size } })

    expect(ids(reply.body)).toBe(expected)
  })
})

describe('a page of the list', () => {
  it.each([
    [undefined, [100, 100]],
    ['1000', [1000, 1]],
    ['1001', [1000, 1]],
    ['2147483648', [1000, 1]],
  ])('of the size %s holds the first and then the next %j jobs', async (size, counts) => {
    await using own = await openApi()
    await own.send('PUT', '/jobs/v2/first', {
      type: 'scheduleDeviceMethod',
      cloudToDeviceMethod: { methodName: 'm' },
      queryCondition: '*',
    })
    await own.db.execute(`
      insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at, deadline_at)
      select 'copy-' || n, type, status, query_condition, body, max_execution_seconds, created_at, start_at, deadline_at
        from jobs, generate_series(1, 1000) as n`)
    const headers = size === undefined ? {} : { 'x-ms-max-item-count': size }

    const first = await own.send('GET', '/jobs/v2/query', undefined, { headers })
    const second = await own.send('GET', '/jobs/v2/query', undefined, { headers: { ...headers, ...next(first) } })

    expect([first, second].map(({ body }) => body.length)).toEqual(counts)
    expect(new Set([...first.body, ...second.body].map(({ jobId }) => jobId)).size).toBe(
      counts.reduce((sum, count) => sum + count),
    )
  })
})

describe('a page of the list', () => {
  it('Q31 of large jobs ends early, with a token', async () => {
    await using own = await openApi()
    const payload = 'x'.repeat(125_000)
    for (const jobId of ['first', 'second']) {
      const cloudToDeviceMethod = { methodName: 'm', payload }
      await own.send('PUT', `/jobs/v2/${jobId}`, {
        type: 'scheduleDeviceMethod',
        cloudToDeviceMethod,
        queryCondition: '*',
      })
    }
    await own.db.execute(`
      insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at, deadline_at)
      select 'copy-' || n, type, status, query_condition, body, max_execution_seconds, created_at, start_at, deadline_at
        from jobs, generate_series(1, 38) as n where job_id = 'first'`)

    const first = await own.send('GET', '/jobs/v2/query?pageSize=1000')
    const second = await own.send('GET', '/jobs/v2/query?pageSize=1000', undefined, { headers: next(first) })

    // 34 jobs of 125,000 bytes are more than 4 MiB.
    expect([first, second].map(({ body }) => body.length)).toEqual([34, 6])
    expect(first.body[0].cloudToDeviceMethod.payload).toBe(payload)
    expect(second.headers.has('x-ms-continuation')).toBe(false)
    expect(new Set([...first.body, ...second.body].map(({ jobId }) => jobId)).size).toBe(40)
  })
})

function next(reply: { headers: Headers }): { 'x-ms-continuation': string } {
  return { 'x-ms-continuation': reply.headers.get('x-ms-continuation') ?? '' }
}
