import { connectBus } from '@muster/bus'
import { jobKey, limits } from '@muster/contract'
import { markScheduled, startJob } from '@muster/store'
import { uniquePrefix } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { type Api, hostName, noon, openApi, tokenOf } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const methodJob = {
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'reboot', payload: { delay: 5 }, timeoutInSeconds: 20 },
  queryCondition: 'tags.building = 43 AND tags.floor = 3',
}
const twinJob = {
  type: 'scheduleUpdateTwin',
  updateTwin: { etag: '*', tags: { floor: 4 }, properties: { desired: { mode: 'eco' }, reported: {} } },
  queryCondition: '*',
}
const shownMethodJob = {
  type: 'scheduleDeviceMethod',
  status: 'queued',
  createdTime: '2026-03-02T12:00:00.000Z',
  startTime: '2026-03-02T12:00:00.000Z',
  maxExecutionTimeInSeconds: 3600,
  queryCondition: 'tags.building = 43 AND tags.floor = 3',
  cloudToDeviceMethod: {
    methodName: 'reboot',
    payload: { delay: 5 },
    responseTimeoutInSeconds: 20,
    connectTimeoutInSeconds: 0,
  },
}

describe('a created job', () => {
  it('is answered with exactly three members, and read back whole', async () => {
    const created = await api.send('PUT', '/jobs/v2/m1', methodJob)
    const read = await api.send('GET', '/jobs/v2/m1')

    expect(created.status).toBe(200)
    expect(created.body).toEqual({ jobId: 'm1', type: 'scheduleDeviceMethod', status: 'queued' })
    expect(read.body).toEqual({ jobId: 'm1', ...shownMethodJob })
  })

  it('speaks the vocabulary of 2016 to who asks in it, in the reply of PUT too', async () => {
    const shown = { jobId: 'm2', ...shownMethodJob, type: 'scheduledDeviceMethod', status: 'pending' }

    const created = await api.send('PUT', '/jobs/v2/m2', methodJob, { apiVersion: '2016-11-14' })
    const read = await api.send('GET', '/jobs/v2/m2', undefined, { apiVersion: '2016-09-30-preview' })

    expect(created.body).toEqual(shown)
    expect(read.body).toEqual(shown)
  })

  it('shows the patch of a twin job without what is ignored', async () => {
    await api.send('PUT', '/jobs/v2/t1', twinJob)

    const { body } = await api.send('GET', '/jobs/v2/t1')

    expect(body.type).toBe('scheduleUpdateTwin')
    expect(body.updateTwin).toEqual({
      deviceId: null,
      etag: '*',
      tags: { floor: 4 },
      properties: { desired: { mode: 'eco' } },
    })
  })

  it('needs no etag in the versions of 2016', async () => {
    const { etag: _, ...updateTwin } = twinJob.updateTwin

    const create = (id: string, members: object) =>
      api.send(
        'PUT',
        `/jobs/v2/${id}`,
        { ...twinJob, updateTwin: { ...updateTwin, ...members } },
        { apiVersion: '2016-11-14' },
      )

    const [without, withNull] = [await create('t2', {}), await create('t4', { etag: null })]

    for (const { body } of [without, withNull]) {
      expect(body).toMatchObject({ type: 'scheduledUpdateTwin', status: 'pending', updateTwin: { etag: '*' } })
    }
  })

  it.each([
    ['scheduleDirectRequest', 'scheduleDeviceMethod'],
    ['scheduleDirectMethod', 'scheduleDeviceMethod'],
    ['SCHEDULEDDEVICEMETHOD', 'scheduleDeviceMethod'],
    ['scheduleTwinUpdate', 'scheduleUpdateTwin'],
    ['ScheduledUpdateTwin', 'scheduleUpdateTwin'],
  ])('may spell its type %s', async (type, canonical) => {
    const created = await api.send('PUT', `/jobs/v2/type-${type}`, { ...methodJob, ...twinJob, type })

    expect(created.body.type).toBe(canonical)
  })

  it('takes its members in any letter case, an id that is a number, and no content type', async () => {
    const { type: Type, queryCondition: QUERYCONDITION, cloudToDeviceMethod } = methodJob
    const { methodName: MethodName, payload: Payload, timeoutInSeconds: TimeoutInSeconds } = cloudToDeviceMethod

    const created = await api.send('PUT', '/jobs/v2/42', {
      JobId: 42,
      Type,
      QUERYCONDITION,
      CloudToDeviceMethod: { MethodName, Payload, TimeoutInSeconds },
      other: [],
    })
    const { body } = await api.send('GET', '/jobs/v2/42')

    expect(created.body).toEqual({ jobId: '42', type: 'scheduleDeviceMethod', status: 'queued' })
    expect(body.cloudToDeviceMethod).toEqual(shownMethodJob.cloudToDeviceMethod)
  })

  it('takes the members of its patch in any letter case', async () => {
    const { tags: Tags, properties } = twinJob.updateTwin
    const UpdateTwin = { ETag: '*', Tags, Properties: { Desired: properties.desired, Reported: {} } }

    await api.send('PUT', '/jobs/v2/t3', { type: twinJob.type, queryCondition: '*', UpdateTwin })
    const { body } = await api.send('GET', '/jobs/v2/t3')

    expect(body.updateTwin).toEqual({ deviceId: null, etag: '*', tags: Tags, properties: { desired: { mode: 'eco' } } })
  })

  it('takes nulls for what it does not need', async () => {
    const body = {
      ...methodJob,
      jobId: null,
      updateTwin: null,
      deviceIds: null,
      startTime: null,
      maxExecutionTimeInSeconds: 0,
    }

    const created = await api.send('PUT', '/jobs/v2/nulls', body)
    const read = await api.send('GET', '/jobs/v2/nulls')

    expect(created.status).toBe(200)
    expect(read.body.maxExecutionTimeInSeconds).toBe(3600)
  })

  it('whose id exists is 409, whatever it says', async () => {
    await api.send('PUT', '/jobs/v2/twice', methodJob)

    const again = await api.send('PUT', '/jobs/v2/twice', methodJob)

    expect(again.status).toBe(409)
    expect(again.headers.get('iothub-errorcode')).toBe('JobAlreadyExists')
  })

  it('has an id with any character that the rule allows', async () => {
    const jobId = "!#%&'*+-.^_`|~Az09"

    const created = await api.send('PUT', `/jobs/v2/${encodeURIComponent(jobId)}`, { ...methodJob, jobId })
    const read = await api.send('GET', `/jobs/v2/${encodeURIComponent(jobId)}`)

    expect(created.body.jobId).toBe(jobId)
    expect(read.body.jobId).toBe(jobId)
  })

  it.each([
    ['/jobs/v2/query', 'query', 'the job list'],
    ['/jobs/v2/events', 'events', 'the events of all jobs'],
    ['/jobs/v2/d1/methods/events', 'events', 'the events of all jobs'],
  ])('has no id that is another address: PUT %s', async (path, id, address) => {
    const { status, body } = await api.send('PUT', path, methodJob)

    expect([status, body.Message]).toEqual([
      400,
      `ErrorCode:ArgumentInvalid;jobId "${id}" is the address of ${address}, choose another id`,
    ])
  })
})

describe('a start time', () => {
  it.each([
    ['2026-03-02T13:00:00Z', '2026-03-02T13:00:00.000Z', 'scheduled'],
    ['2026-03-02T13:00:00.1234567', '2026-03-02T13:00:00.123Z', 'scheduled'],
    ['2026-03-02T15:00:00+02:00', '2026-03-02T13:00:00.000Z', 'scheduled'],
    ['2026-04-01T12:00:00Z', '2026-04-01T12:00:00.000Z', 'scheduled'],
    ['2026-03-02T11:00:00Z', '2026-03-02T11:00:00.000Z', 'queued'],
    ['0001-01-01T00:00:00', '0001-01-01T00:00:00.000Z', 'queued'],
  ])('%s is shown as %s, and the job is then %s', async (startTime, shown, status) => {
    const id = `/jobs/v2/at-${startTime.replace(/\W/g, '-')}`

    const created = await api.send('PUT', id, { ...methodJob, startTime })
    const read = await api.send('GET', id)

    expect(created.body.status).toBe('queued')
    expect(read.body).toMatchObject({ startTime: shown, status })
  })
})

describe('a list of devices', () => {
  it('is shown as a condition, each device once', async () => {
    const deviceIds = ['a', "o'neil", 'a']

    await api.send('PUT', '/jobs/v2/list', { ...methodJob, queryCondition: undefined, deviceIds })
    const { body } = await api.send('GET', '/jobs/v2/list')

    expect(body.queryCondition).toBe(String.raw`deviceId IN ['a','o\'neil']`)
  })

  it('may be one text', async () => {
    await api.send('PUT', '/jobs/v2/one', { ...methodJob, queryCondition: null, deviceIds: 'a' })
    const { body } = await api.send('GET', '/jobs/v2/one')

    expect(body.queryCondition).toBe("deviceId IN ['a']")
  })

  it('does not count beside a condition', async () => {
    await api.send('PUT', '/jobs/v2/both', { ...methodJob, deviceIds: ['a'] })
    const { body } = await api.send('GET', '/jobs/v2/both')

    expect(body.queryCondition).toBe(methodJob.queryCondition)
  })

  it('of 100,000 devices is kept whole and shown by its first ones', async () => {
    const deviceIds = Array.from({ length: limits.targetDeviceIds }, (_, index) => `d${index}`)

    await api.send('PUT', '/jobs/v2/many', { ...methodJob, queryCondition: null, deviceIds })
    const { body } = await api.send('GET', '/jobs/v2/many')
    const started = await startListed('many')

    expect(body.queryCondition).toMatch(/^deviceId IN \['d0','d1',.*'d\d+', and \d+ more\]$/)
    expect(body.queryCondition.length).toBeLessThan(limits.queryLength)
    expect(shownAndHidden(body.queryCondition)).toBe(limits.targetDeviceIds)
    expect(started).toMatchObject({ kind: 'started', deviceCount: limits.targetDeviceIds })
  })

  it('of one device more is refused', async () => {
    const deviceIds = Array.from({ length: limits.targetDeviceIds + 1 }, () => 'd')

    const refused = await api.send('PUT', '/jobs/v2/more', { ...methodJob, queryCondition: null, deviceIds })

    expect(refused.body.Message).toContain('deviceIds must hold 1 to 100000 ids, got 100001')
  })
})

describe("the address of one device's methods", () => {
  it('creates a method job for that device, whatever target the body has', async () => {
    const created = await api.send('PUT', '/jobs/v2/pump%2301/methods/pm1', { ...methodJob, type: undefined })
    const read = await api.send('GET', '/jobs/v2/pm1')

    expect(created.body).toEqual({ jobId: 'pm1', type: 'scheduleDeviceMethod', status: 'queued' })
    expect(read.body.queryCondition).toBe("deviceId IN ['pump#01']")
  })

  it('takes no id twice: the second is 409', async () => {
    await api.send('PUT', '/jobs/v2/pump-01/methods/pm3', methodJob)

    const again = await api.send('PUT', '/jobs/v2/pump-02/methods/pm3', methodJob)

    expect([again.status, again.headers.get('iothub-errorcode')]).toEqual([409, 'JobAlreadyExists'])
  })

  it('takes no twin job', async () => {
    const refused = await api.send('PUT', '/jobs/v2/pump-01/methods/pm2', twinJob)

    expect(refused.body.Message).toContain('ErrorCode:ArgumentInvalid;type "scheduleUpdateTwin" cannot be sent')
  })
})

describe('a job that is cancelled', () => {
  it('is answered whole, and a second time unchanged', async () => {
    await api.send('PUT', '/jobs/v2/c1', { ...methodJob, startTime: '2026-03-02T14:00:00Z' })

    const first = await api.send('POST', '/jobs/v2/c1/cancel')
    api.clock.time = new Date(noon.getTime() + 1000)
    const second = await api.send('POST', '/jobs/v2/c1/cancel', {})
    const of2016 = await api.send('GET', '/jobs/v2/c1', undefined, { apiVersion: '2016-11-14' })
    api.clock.time = noon

    expect(first.status).toBe(200)
    expect(first.body).toMatchObject({ jobId: 'c1', status: 'cancelled', endTime: '2026-03-02T12:00:00.000Z' })
    expect(second.body).toEqual(first.body)
    expect(of2016.body.status).toBe('canceled')
  })

  it('H25 the log has who created a job and who cancelled it, and who was refused', async () => {
    const seen: unknown[] = []
    const off = [
      api.events.on('jobCreated', (fields) => seen.push(['created', fields])),
      api.events.on('jobCancelled', (fields) => seen.push(['cancelled', fields])),
      api.events.on('requestRefused', (fields) => seen.push(['refused', fields])),
    ]

    await api.send('PUT', '/jobs/v2/c5', methodJob)
    await api.send('POST', '/jobs/v2/c5/cancel')
    await api.send('POST', '/jobs/v2/c5-none/cancel')
    for (const stop of off) stop()

    const by = { account: 'policy:iothubowner', trackingId: expect.stringMatching(/^\w{32}/) }
    expect(seen).toMatchObject([
      ['created', { jobId: 'c5', ...by }],
      ['cancelled', { jobId: 'c5', ...by }],
      ['refused', { jobId: 'c5-none', code: 'JobNotFound', ...by }],
    ])
    expect(JSON.stringify(seen)).not.toContain('SharedAccess')
  })

  it('twice in the same moment is reported once', async () => {
    await api.send('PUT', '/jobs/v2/c4', methodJob)
    const seen: unknown[] = []
    const off = [
      api.events.on('jobCancelled', ({ jobId }) => seen.push(jobId)),
      api.events.on('jobEnded', ({ jobId, status }) => seen.push([jobId, status])),
    ]

    await api.send('POST', '/jobs/v2/c4/cancel')
    await api.send('POST', '/jobs/v2/c4/cancel')
    for (const stop of off) stop()

    expect(seen).toEqual(['c4', ['c4', 'cancelled']])
  })

  it('while it runs counts its devices as canceled', async () => {
    await api.send('PUT', '/jobs/v2/c2', { ...methodJob, queryCondition: null, deviceIds: ['a', 'b'] })
    await startListed('c2')

    const running = await api.send('GET', '/jobs/v2/c2')
    const cancelled = await api.send('POST', '/jobs/v2/c2/cancel')

    const counts = { deviceCount: 2, succeededCount: 0, failedCount: 0, runningCount: 0 }
    expect(running.body).toMatchObject({
      status: 'running',
      deviceJobStatistics: { ...counts, pendingCount: 2, canceledCount: 0 },
    })
    expect(cancelled.body.deviceJobStatistics).toEqual({ ...counts, pendingCount: 0, canceledCount: 2 })
  })

  it('after its end is 405, with the status it has', async () => {
    await api.send('PUT', '/jobs/v2/c3', methodJob)
    await api.db.execute("update jobs set status = 'completed', ended_at = start_at where job_id = 'c3'")

    const refused = await api.send('POST', '/jobs/v2/c3/cancel')

    expect(refused.status).toBe(405)
    expect(refused.body.Message).toBe(
      "ErrorCode:OperationNotAllowedInCurrentState;Job cannot be cancelled in 'Completed' status.",
    )
  })

  it('that does not exist is 404, as for a read', async () => {
    const cancelled = await api.send('POST', '/jobs/v2/none/cancel')
    const read = await api.send('GET', '/jobs/v2/none')

    expect([cancelled.status, read.status]).toEqual([404, 404])
    expect(read.body.Message).toBe('ErrorCode:JobNotFound;There is no job with the id none')
  })

  it.each(['%00', 'a%00', 'a%20b', 'x'.repeat(65)])('that cannot exist is 404: %s', async (jobId) => {
    const cancelled = await api.send('POST', `/jobs/v2/${jobId}/cancel`)
    const read = await api.send('GET', `/jobs/v2/${jobId}`)

    expect([cancelled.status, read.status]).toEqual([404, 404])
    expect(read.headers.get('iothub-errorcode')).toBe('JobNotFound')
  })
})

describe('a job that exists', () => {
  it('is answered with success, although its status could not be kept up', async () => {
    await using own = await openApi()
    await own.db.execute(`create function fail() returns trigger language plpgsql as
      $$ begin raise exception 'terminating connection' using errcode = '57P01'; end $$`)
    await own.db.execute('create trigger fail before update on jobs for each row execute function fail()')
    const failed: unknown[] = []
    own.events.on('wakeUpFailed', ({ kind }) => failed.push(kind))

    const created = await own.send('PUT', '/jobs/v2/later', { ...methodJob, startTime: '2026-03-02T13:00:00Z' })
    const read = await own.send('GET', '/jobs/v2/later')

    expect(created.status).toBe(200)
    expect(read.body.status).toBe('queued')
    expect(failed).toEqual(['job'])
  })
})

describe('the bus', () => {
  it('wakes the dispatcher for a job that starts now', async () => {
    const woken = new Promise<string>((resolve) => {
      api.bus.consumeJobs(async (key) => resolve(key))
    })

    await api.send('PUT', '/jobs/v2/now', methodJob)

    expect(jobKey(await woken)).toMatch(/^\d+$/)
  })

  it('may be lost: the job is created all the same', async () => {
    const bus = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })
    await bus[Symbol.asyncDispose]()
    const app = createApp({ ...api, bus, hostNames: [hostName], continuationKey: Buffer.from('k') })
    const lost: string[] = []
    const off = api.events.on('wakeUpLost', ({ kind }) => lost.push(kind))

    const response = await app.request('/jobs/v2/unheard?api-version=2021-04-12', {
      method: 'PUT',
      headers: { authorization: tokenOf(api, 'service') },
      body: JSON.stringify({ ...methodJob, startTime: '2026-03-02T13:00:00Z' }),
    })
    off()
    const read = await api.send('GET', '/jobs/v2/unheard')

    expect(response.status).toBe(200)
    expect(lost).toEqual(['job'])
    expect(read.body.status).toBe('queued')
  })
})

async function startListed(jobId: string) {
  const { rows } = await api.db.execute<{ job_key: string }>(`select job_key::text from jobs where job_id = '${jobId}'`)
  const key = jobKey(rows[0]?.job_key ?? '')
  await markScheduled(api.db, key)
  return startJob(api.db, key, { maxRunningJobs: 100, chunkSize: () => 1000 }, api.clock.now())
}

function shownAndHidden(condition: string): number {
  const [, hidden = '0'] = /and (\d+) more/.exec(condition) ?? []
  return (condition.match(/'d\d+'/g)?.length ?? 0) + Number(hidden)
}
