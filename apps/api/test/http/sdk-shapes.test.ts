import { jobKey } from '@muster/contract'
import { startJob } from '@muster/store'
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

describe('a parameter of the address', () => {
  it.each([
    ['/devices/?Top=1', 1],
    ['/jobs/v2/query?JOBTYPE=scheduleDeviceMethod&JobStatus=queued&PAGESIZE=1', 1],
  ])('H21 counts in any letter case: %s', async (path, count) => {
    await api.send('PUT', '/jobs/v2/parameters', job)
    const reply = await api.send('GET', `${path}&API-Version=2021-04-12`, undefined, { apiVersion: null })

    expect(reply.status).toBe(200)
    expect(reply.body).toHaveLength(count)
  })

  it.each([
    '/devices?TOP=many',
    '/jobs/v2/query?JobType=none',
    '/jobs/v2/query?pagesize=x',
    '/jobs/v2/query?Jobstatus=x',
  ])('H21 is refused when its value is not allowed, in any letter case: %s', async (path) => {
    expect((await api.send('GET', path)).status).toBe(400)
  })

  it('H21 in its exact spelling wins', async () => {
    expect((await api.send('GET', '/devices?TOP=many&top=1')).body).toHaveLength(1)
  })
})

describe('the service SDK for Java', () => {
  const overridden = (path: string, method: string, body: unknown) =>
    api.send('POST', path, body, { headers: { 'x-http-method-override': method } })

  it.each(['PATCH', 'patch', 'MERGE'])('H22 patches a twin by POST with X-HTTP-Method-Override: %s', async (method) => {
    await api.send('PUT', '/devices/d1/modules/java', {})

    const patched = await overridden('/twins/d1', method, { tags: { by: method } })
    const ofModule = await overridden('/twins/d1/modules/java', method, { tags: { by: method } })

    expect([patched.status, ofModule.status]).toEqual([200, 200])
    expect([patched.body.tags.by, ofModule.body.tags.by]).toEqual([method, method])
  })

  it('H22 gets the errors of the PATCH', async () => {
    expect((await overridden('/twins/nobody', 'PATCH', { tags: {} })).body.Message).toContain('DeviceNotFound')
    expect((await overridden('/twins/d1', 'PATCH', { tags: 5 })).status).toBe(400)
  })

  it.each(['PUT', 'DELETE', ''])('H22 a POST that means anything else is no method of a twin: %j', async (method) => {
    const refused = await overridden('/twins/d1', method, { tags: {} })

    expect(refused.status).toBe(405)
    expect(refused.headers.get('allow')).toBe('GET, HEAD, PATCH, PUT')
  })

  it('reads the method of a job in each row of its devices, with the numbers that were sent', async () => {
    const payload = '{"serial":9007199254740993,"of":[1e20,1]}'
    const called = `{"methodName":"reboot","responseTimeoutInSeconds":10,"connectTimeoutInSeconds":5,"payload":${payload}}`
    const text = `{"type":"scheduleDeviceMethod","queryCondition":"deviceId = 'd1'","cloudToDeviceMethod":${called}}`
    await api.send('PUT', '/jobs/v2/java-rows', undefined, { text })
    const { rows: jobs } = await api.db.execute<{ key: string }>(
      "select job_key::text as key from jobs where job_id = 'java-rows'",
    )
    await startJob(api.db, jobKey(jobs[0]?.key ?? ''), { maxRunningJobs: 99, chunkSize: () => 9 }, api.clock.now())

    const query = { query: "SELECT * FROM devices.jobs WHERE jobId = 'java-rows'" }
    const rows = await api.send('POST', '/devices/query', query)
    const read = await api.send('GET', '/jobs/v2/java-rows')
    const listed = await api.send('GET', '/jobs/v2/query')

    expect(rows.body).toMatchObject([{ jobId: 'java-rows', deviceId: 'd1', outcome: {} }])
    for (const reply of [rows, read, listed]) expect(reply.text).toContain(`"cloudToDeviceMethod":${called}`)
  })

  it('gets the number 404001 inside the message for a method on a device that is not registered', async () => {
    for (const apiVersion of ['2018-06-30', '2019-10-01', '2020-03-13', '2021-04-12']) {
      const called = await api.send('POST', '/twins/ThisDeviceDoesNotExist/methods', method, { apiVersion })

      expect(called.status).toBe(404)
      expect(JSON.parse(called.body.Message)).toMatchObject({ errorCode: 404001 })
    }
  })
})

describe('az', () => {
  const emptyKey = (which: string, read: { authentication: { symmetricKey: object } }) => ({
    ...read,
    authentication: { type: 'sas', symmetricKey: { ...read.authentication.symmetricKey, [which]: '' } },
  })
  const update = (path: string, body: unknown) => api.send('PUT', path, body, { headers: { 'if-match': '"*"' } })

  it.each(['/devices/az-keys', '/devices/d1/modules/az-keys'])(
    'gets a new key for each that is empty in an identity that it has read: %s',
    async (path) => {
      const created = await api.send('PUT', path, {})
      const before = created.body.authentication.symmetricKey
      const primary = await update(path, emptyKey('primaryKey', created.body))
      const { body: between } = await api.send('GET', path)
      const both = await update(path, emptyKey('secondaryKey', emptyKey('primaryKey', between)))

      const renewed = primary.body.authentication.symmetricKey
      expect(renewed.primaryKey).toMatch(/^.{43}=$/)
      expect(renewed.primaryKey).not.toBe(before.primaryKey)
      expect(renewed.secondaryKey).toBe(before.secondaryKey)
      expect(both.body.authentication.symmetricKey.primaryKey).not.toBe(renewed.primaryKey)
      expect(both.body.authentication.symmetricKey.secondaryKey).not.toBe(renewed.secondaryKey)
    },
  )

  it('gets a new key for one empty key beside a full one, whatever else the body has', async () => {
    const { body } = await api.send('PUT', '/devices/az-one', {})
    const { secondaryKey } = body.authentication.symmetricKey
    const authentication = { type: 'sas', symmetricKey: { primaryKey: '', secondaryKey } }

    const updated = await update('/devices/az-one', { deviceId: 'az-one', authentication })

    expect(updated.body.authentication.symmetricKey.primaryKey).not.toBe(body.authentication.symmetricKey.primaryKey)
    expect(updated.body.authentication.symmetricKey.secondaryKey).toBe(secondaryKey)
  })
})

describe('the registry suite of the SDK for Node', () => {
  const create = async (deviceId: string, body: object) => (await api.send('PUT', `/devices/${deviceId}`, body)).body
  const edge = { capabilities: { iotEdge: true } }
  const any = { headers: { 'if-match': '*' } }

  it('H23 finds the scope of an edge device, which ends with the number of its generation', async () => {
    const device = await create('edge-1', edge)
    const twin = await api.send('GET', '/twins/edge-1')
    const query = `SELECT deviceId FROM devices WHERE deviceScope = '${device.deviceScope}'`

    expect(device.generationId).toMatch(/^\d{18}$/)
    expect(device).toMatchObject({
      deviceScope: `ms-azure-iot-edge://edge-1-${device.generationId}`,
      parentScopes: [],
    })
    expect(twin.body).toMatchObject({ deviceScope: device.deviceScope, parentScopes: [] })
    expect((await api.send('POST', '/devices/query', { query })).body).toEqual([{ deviceId: 'edge-1' }])
    expect(await create('plain', {})).not.toHaveProperty('deviceScope')
  })

  it('H23 names the parents of an edge device, and they stay until it names others', async () => {
    const { deviceScope } = await create('edge-parent', edge)
    const child = await create('edge-child', { ...edge, parentScopes: [deviceScope] })
    const kept = await api.send('PUT', '/devices/edge-child', { status: 'disabled' }, any)
    const freed = await api.send('PUT', '/devices/edge-child', { ...kept.body, parentScopes: [] }, any)

    expect(child.parentScopes).toEqual([deviceScope])
    expect(child.deviceScope).toMatch(/^ms-azure-iot-edge:\/\/edge-child-/)
    expect(kept.body.parentScopes).toEqual([deviceScope])
    expect(freed.body).toMatchObject({ parentScopes: [], deviceScope: child.deviceScope })
  })

  it('H23 names the parent of any other device by its scope or by its parents', async () => {
    const { deviceScope } = await create('gateway-1', edge)
    const shown = { deviceScope, parentScopes: [deviceScope] }
    const byScope = await create('leaf-1', { deviceScope })
    const byParents = await create('leaf-2', { parentScopes: [deviceScope] })
    const freed = await api.send('PUT', '/devices/leaf-1', { ...byScope, deviceScope: '' }, any)

    expect([byScope, byParents]).toMatchObject([shown, shown])
    expect(freed.body).not.toHaveProperty('deviceScope')
  })

  it.each([{ deviceScope: 'gateway-1' }, { parentScopes: ['ms-azure-iot-edge://x'] }, { parentScopes: 'x' }])(
    'H23 is refused what is no scope: %j',
    async (body) => {
      const refused = await api.send('PUT', '/devices/scopeless', body)

      expect(refused.status).toBe(400)
      expect(refused.body.Message).toContain(Object.keys(body)[0])
    },
  )
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
