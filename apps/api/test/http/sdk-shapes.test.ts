import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

/** Requests in the shapes in which clients of several languages and ages send them. */

let api: Api
beforeAll(async () => {
  api = await openApi()
  for (const id of ['d1', 'd2']) await api.send('PUT', `/devices/${id}`, {})
})
afterAll(async () => api[Symbol.asyncDispose]())

const method = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 30 }
const inAnHour = '2026-03-02T13:00:00.0000000Z'
const job = { type: 'scheduleDeviceMethod', cloudToDeviceMethod: method, queryCondition: '*', startTime: inAnHour }
const methodOfNulls = {
  methodName: 'reboot',
  payload: null,
  responseTimeoutInSeconds: null,
  connectTimeoutInSeconds: null,
  timeoutInSeconds: null,
}
const twinOfNulls = { deviceId: null, moduleId: null, etag: '*', version: null, deviceEtag: null, modelId: null }
const unwritten = {
  jobId: null,
  createdTime: null,
  endTime: null,
  status: null,
  updateTwin: null,
  failureReason: null,
  statusMessage: null,
  deviceJobStatistics: null,
  deviceId: null,
  parentJobId: null,
}

describe('a job', () => {
  it.each([
    ['a number as its id', '4711', { ...job, jobId: 4711 }],
    ['no start time and no window', 'node-promise', { ...job, jobId: 'node-promise', startTime: null }],
    ['the member that it does not use as null', 'csharp', { ...job, jobId: 'csharp', updateTwin: null }],
    ['members in Pascal case', 'pascal', pascal({ ...job, jobId: 'pascal' })],
    ['members that nobody reads', 'extra', { ...job, jobId: 'extra', parentJobId: null, deviceId: null }],
    ['the start time of a clock without a zone', 'cli', { ...job, startTime: '2026-03-02T13:00:00.123456' }],
    ['a start time with an offset', 'offset', { ...job, startTime: '2026-03-02T14:00:00.1+01:00' }],
    ['a list in small letters', 'in-list', { ...job, queryCondition: "deviceId in ['d1','d2']" }],
    ['a list in Pascal case', 'in-pascal', { ...job, queryCondition: "DeviceId IN ['d1', 'd2']" }],
    ['a function over a Pascal member', 'defined', { ...job, queryCondition: 'IS_DEFINED(DeviceId)' }],
    ['null for all that a job shows and nobody writes', 'nulls', { ...job, ...unwritten }],
    ['null for what its method does not use', 'method-nulls', { ...job, cloudToDeviceMethod: methodOfNulls }],
  ])('with %s is created', async (_, jobId, body) => {
    const created = await api.send('PUT', `/jobs/v2/${jobId}`, body)

    expect(created.status).toBe(200)
    expect(created.body).toEqual({ jobId, type: 'scheduleDeviceMethod', status: 'queued' })
  })

  it('of a start time without a zone starts in UTC', async () => {
    await api.send('PUT', '/jobs/v2/zoneless', { ...job, startTime: '2026-03-02T13:00:00' })

    expect((await api.send('GET', '/jobs/v2/zoneless')).body.startTime).toBe('2026-03-02T13:00:00.000Z')
  })

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('may have a start time with %i digits behind the second', async (digits) => {
    const fraction = digits === 0 ? '' : `.${'1234567'.slice(0, digits)}`
    const shown = `2026-03-02T13:00:00.${'123'.slice(0, digits).padEnd(3, '0')}Z`

    for (const [index, zone] of ['', 'Z', '+00:00', '-00:00'].entries()) {
      const jobId = `digits-${digits}-${index}`
      await api.send('PUT', `/jobs/v2/${jobId}`, { ...job, startTime: `2026-03-02T13:00:00${fraction}${zone}` })

      expect((await api.send('GET', `/jobs/v2/${jobId}`)).body.startTime).toBe(shown)
    }
  })

  it.each([
    ['an etag and reported properties', { etag: '*', tags: { a: 1 }, properties: { reported: {} } }],
    ['a quoted etag', { etag: '"*"', properties: { desired: { a: 1 } } }],
    [
      'an id that is null and reported properties',
      { deviceId: null, etag: '*', tags: {}, properties: { reported: {} } },
    ],
    ['nulls and empty sections', { ...twinOfNulls, tags: {}, properties: { desired: {}, reported: {} } }],
    ['a whole twin', { deviceId: null, etag: '*', version: 7, status: 'enabled', tags: { a: { b: null } } }],
  ])('whose twin patch holds %s is created', async (name, updateTwin) => {
    const jobId = name.replaceAll(' ', '-')
    const body = { jobId, type: 'scheduleUpdateTwin', cloudToDeviceMethod: null, updateTwin, queryCondition: '*' }

    const created = await api.send('PUT', `/jobs/v2/${jobId}`, { ...body, startTime: inAnHour })

    expect(created.status).toBe(200)
  })

  it.each([
    ['no body', undefined, {}],
    ['no body, but a type of it', undefined, { 'content-type': 'application/json; charset=utf-8' }],
    ['a length of 0', undefined, { 'content-length': '0' }],
    ['{}', '{}', { 'content-type': 'application/json' }],
    ['null', 'null', { 'content-type': 'application/json; charset=utf-8' }],
    ['an empty text', '""', {}],
  ])('is cancelled by a request with %s', async (name, text, headers) => {
    const jobId = `cancel-${Buffer.from(name).toString('hex').slice(0, 40)}`
    await api.send('PUT', `/jobs/v2/${jobId}`, job)

    const cancelled = await api.send('POST', `/jobs/v2/${jobId}/cancel`, undefined, {
      headers,
      ...(text === undefined ? {} : { text }),
    })

    expect([cancelled.status, cancelled.body.status]).toEqual([200, 'cancelled'])
  })

  it.each([
    'jobType=ScheduleDeviceMethod&jobStatus=Queued',
    'jobStatus=queued&jobType=scheduleDeviceMethod',
    'jobStatus=Enqueued',
    'jobType=&jobStatus=',
  ])('is listed by %s', async (filter) => {
    const listed = await api.send('GET', `/jobs/v2/query?${filter}`)

    expect(listed.status).toBe(200)
    expect(listed.headers.get('x-ms-item-type')).toBe('JobResponse')
    expect(listed.body.length).toBeGreaterThan(0)
  })
})

describe('the list of jobs', () => {
  it('is asked for by type and status in Pascal case', async () => {
    for (const jobId of ['done', 'not-done']) await api.send('PUT', `/jobs/v2/${jobId}`, { ...job, startTime: null })
    await api.db.execute("update jobs set status = 'completed', ended_at = start_at where job_id = 'done'")

    const completed = await api.send('GET', '/jobs/v2/query?jobType=ScheduleDeviceMethod&jobStatus=Completed')
    const none = await api.send('GET', '/jobs/v2/query?jobType=ScheduleUpdateTwin&jobStatus=Completed')

    expect(completed.body.map(({ jobId }: { jobId: string }) => jobId)).toEqual(['done'])
    expect(none.body).toEqual([])
  })
})

describe('a page', () => {
  it.each([
    ['jobs', 'GET', '/jobs/v2/query', undefined],
    ['twins', 'POST', '/devices/query', { query: "SELECT * FROM devices WHERE deviceId IN ['d1','d2']" }],
  ])('of %s comes with a token, if there is another one, and is asked for with it', async (_, verb, path, body) => {
    for (const jobId of ['page-1', 'page-2']) await api.send('PUT', `/jobs/v2/${jobId}`, job)
    const read = (continuation: string, count = '1') =>
      api.send(verb, path, body, { headers: { 'x-ms-max-item-count': count, 'x-ms-continuation': continuation } })

    const first = await read('')
    const second = await read(first.headers.get('x-ms-continuation') ?? '')
    const all = await read('', '1000')

    expect([...first.body, ...second.body]).toEqual(all.body.slice(0, 2))
    expect(all.headers.has('x-ms-continuation')).toBe(false)
  })
})

describe('a request', () => {
  it.each([
    ['PUT', '/jobs/v2/untyped', job],
    ['PUT', '/devices/untyped', {}],
    ['PATCH', '/twins/d1', { tags: { a: 1 } }],
    ['PUT', '/twins/d1', { tags: { a: 1 } }],
    ['POST', '/devices', [{ id: 'untyped-too', importMode: 'create' }]],
    ['POST', '/devices/query', { query: "SELECT * FROM devices WHERE deviceId = 'd1'" }],
  ])('may lack a content type: %s %s', async (verb, path, body) => {
    // Bytes: to a text the platform would add a type of its own.
    const reply = await api.send(verb, path, undefined, { text: Buffer.from(JSON.stringify(body)) })

    expect(reply.status).toBe(200)
  })

  it.each([{}, { 'content-type': 'text/plain' }, { 'content-type': 'application/json;odata=verbose' }])(
    'has its body read whatever its type says: %j',
    async (headers) => {
      const text = Buffer.from('{"query":"SELECT * FROM devices WHERE deviceId IN [\'d1\',\'d2\']"}')

      const found = await api.send('POST', '/devices/query', undefined, { text, headers })

      expect(found.status).toBe(200)
      expect(found.body).toHaveLength(2)
    },
  )

  it('may ask for the device list at an address that ends with a slash, with and without top', async () => {
    const some = await api.send('GET', '/devices/?top=1')
    const all = await api.send('GET', '/devices/')
    const anyNumber = await api.send('GET', '/devices/?top=')

    expect(some.body).toEqual(all.body.slice(0, 1))
    expect(all.body.length).toBeGreaterThan(1)
    expect(anyNumber.body).toEqual(all.body)
  })

  it('may carry headers and parameters that nobody reads', async () => {
    const headers = {
      'request-id': '1d2f',
      'x-ms-client-request-id': '1d2f',
      'user-agent': 'iothub-client/1.0',
      accept: 'application/json',
    }

    const twin = await api.send('GET', '/twins/d1?format=json', undefined, { headers })

    expect(twin.status).toBe(200)
    expect(twin.headers.get('content-type')).toBe('application/json; charset=utf-8')
  })
})

describe('a device', () => {
  it('is registered from a whole identity, as a client that fills everything in sends it', async () => {
    const identity = {
      deviceId: 'whole',
      generationId: null,
      etag: null,
      connectionState: 'Disconnected',
      connectionStateUpdatedTime: '0001-01-01T00:00:00',
      status: 'Enabled',
      statusReason: null,
      statusUpdatedTime: '0001-01-01T00:00:00',
      lastActivityTime: '0001-01-01T00:00:00',
      cloudToDeviceMessageCount: 0,
      authentication: {
        type: 'Sas',
        symmetricKey: { primaryKey: null, secondaryKey: null },
        x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
      },
      capabilities: { iotEdge: false },
      deviceScope: null,
      parentScopes: [],
    }

    const created = await api.send('PUT', '/devices/whole', identity)

    expect(created.body).toMatchObject({ deviceId: 'whole', status: 'enabled', authentication: { type: 'sas' } })
  })

  it.each(['{}', 'null', ''])('is deleted by a request with the body %j', async (text) => {
    await api.send('PUT', '/devices/leaving', {})

    const deleted = await api.send('DELETE', '/devices/leaving', undefined, { text, headers: { 'if-match': '"*"' } })

    expect(deleted.status).toBe(204)
  })

  it('is written back as it was read, with its etag', async () => {
    await api.send('PUT', '/devices/read-back', {})
    const { body } = await api.send('GET', '/devices/read-back')

    const headers = { 'if-match': `"${body.etag}"` }
    const updated = await api.send('PUT', '/devices/read-back', { ...body, statusReason: 'seen' }, { headers })

    expect(updated.body).toEqual({ ...body, statusReason: 'seen', etag: expect.not.stringMatching(body.etag) })
  })
})

function pascal(body: object): object {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [name.charAt(0).toUpperCase() + name.slice(1), value]),
  )
}
