import { JobClient, Registry } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHub } from '../../hub.ts'
import { ending } from '../../jobs.ts'
import { inCallbackForm } from '../callback-form.ts'
import { failureOf } from '../failure-of.ts'
import { connectDevice, type SdkDevice } from '../sdk-devices.ts'
import { startSdkHub } from '../sdk-hub.ts'

let hub: TestHub
let registry: Registry
let jobs: JobClient
let lamp: SdkDevice
beforeAll(async () => {
  hub = await startSdkHub()
  registry = Registry.fromConnectionString(hub.connectionString)
  jobs = JobClient.fromConnectionString(hub.connectionString)
  const { responseBody } = await registry.create({ deviceId: 'lamp' })
  await registry.create({ deviceId: 'spare' })
  lamp = await connectDevice({ deviceId: 'lamp', key: responseBody.authentication?.symmetricKey?.primaryKey ?? '' })
})
afterAll(async () => {
  await lamp.close()
  await hub[Symbol.asyncDispose]()
})

const condition = "deviceId = 'lamp'"
const later = () => new Date(Date.now() + 3_600_000)
const reboot = { methodName: 'reboot', payload: { delay: 1 }, responseTimeoutInSeconds: 10 }
const counts = { deviceCount: 1, succeededCount: 1, failedCount: 0, runningCount: 0, pendingCount: 0 }

/** The promise of a call, and what the callback gets of one, have the same form here. */
async function called(
  call: Parameters<typeof inCallbackForm<unknown, unknown>>[0],
): Promise<{ jobStatus: unknown; response: unknown }> {
  const [jobStatus, response] = await inCallbackForm(call)
  return { jobStatus, response }
}

const startTime = new Date()
type Schedule<Work> = (jobId: string, work: Work) => Promise<unknown>
type Method = typeof reboot
type Patch = { readonly etag: string; readonly tags: object }

const twinUpdates: readonly (readonly [form: string, Schedule<Patch>])[] = [
  ['at once', (id, patch) => jobs.scheduleTwinUpdate(id, condition, patch)],
  ['at a time', (id, patch) => jobs.scheduleTwinUpdate(id, condition, patch, startTime)],
  ['at a time, within a limit', (id, patch) => jobs.scheduleTwinUpdate(id, condition, patch, startTime, 60)],
  ['at once, called', (id, patch) => called((done) => jobs.scheduleTwinUpdate(id, condition, patch, done))],
  [
    'at a time, called',
    (id, patch) => called((done) => jobs.scheduleTwinUpdate(id, condition, patch, startTime, done)),
  ],
  [
    'at a time, within a limit, called',
    (id, patch) => called((done) => jobs.scheduleTwinUpdate(id, condition, patch, startTime, 60, done)),
  ],
]

const methodCalls: readonly (readonly [form: string, Schedule<Method>])[] = [
  ['at once', (id, method) => jobs.scheduleDeviceMethod(id, condition, method)],
  ['at a time', (id, method) => jobs.scheduleDeviceMethod(id, condition, method, startTime)],
  ['at a time, within a limit', (id, method) => jobs.scheduleDeviceMethod(id, condition, method, startTime, 60)],
  ['at once, called', (id, method) => called((done) => jobs.scheduleDeviceMethod(id, condition, method, done))],
  [
    'at a time, called',
    (id, method) => called((done) => jobs.scheduleDeviceMethod(id, condition, method, startTime, done)),
  ],
  [
    'at a time, within a limit, called',
    (id, method) => called((done) => jobs.scheduleDeviceMethod(id, condition, method, startTime, 60, done)),
  ],
]

describe('jobs', () => {
  it('JobClient.getJob sends an id as it stands, so that # in it ends the address', async () => {
    await jobs.scheduleTwinUpdate('floor#3', condition, { etag: '*', tags: {} }, later())

    const failure = await failureOf(jobs.getJob('floor#3'))

    expect(failure).toMatchObject({ status: 400, message: expect.stringContaining('api-version is missing') })
    expect((await hub.request('GET', '/jobs/v2/floor%233')).status).toBe(200)
  })

  it.each(twinUpdates)('JobClient.scheduleTwinUpdate %s updates the twins', async (form, schedule) => {
    const jobId = form.replaceAll(/\W+/g, '-')

    const { jobStatus, response } = Object(await schedule(jobId, { etag: '*', tags: { by: form } }))
    const ended = await ending(hub, jobId)

    expect(jobStatus).toEqual({ jobId, type: 'scheduleUpdateTwin', status: 'queued' })
    expect(response).toMatchObject({ statusCode: 200 })
    expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: counts })
    expect((await registry.getTwin('lamp')).responseBody.tags).toEqual({ by: form })
    expect((await registry.getTwin('spare')).responseBody.tags).toEqual({})
  })

  it.each(methodCalls)('JobClient.scheduleDeviceMethod %s calls the devices', async (form, schedule) => {
    const jobId = `method-${form.replaceAll(/\W+/g, '-')}`

    const { jobStatus, response } = Object(await schedule(jobId, { ...reboot, payload: { delay: form.length } }))
    const ended = await ending(hub, jobId)

    expect(jobStatus).toEqual({ jobId, type: 'scheduleDeviceMethod', status: 'queued' })
    expect(response).toMatchObject({ statusCode: 200 })
    expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: counts })
    expect(lamp.calls.at(-1)?.payload).toEqual({ delay: form.length })
  })

  it('JobClient.getJob reads a job, with its statistics once it runs', async () => {
    const patch = { etag: '*', tags: { read: true } }
    await jobs.scheduleTwinUpdate('read', condition, patch, undefined as never, 90)
    await ending(hub, 'read')

    const { jobStatus, response } = await jobs.getJob('read')
    const inOtherForm = await called((done) => jobs.getJob('read', done))

    expect(jobStatus).toMatchObject({
      jobId: 'read',
      type: 'scheduleUpdateTwin',
      status: 'completed',
      queryCondition: condition,
      maxExecutionTimeInSeconds: 90,
      updateTwin: patch,
      deviceJobStatistics: counts,
    })
    expect(response).toMatchObject({ statusCode: 200 })
    expect(inOtherForm.jobStatus).toEqual(jobStatus)
  })

  it('JobClient.cancelJob ends a job that has not started', async () => {
    await jobs.scheduleTwinUpdate('cancelled', '*', { etag: '*', tags: { late: true } }, later())
    await jobs.scheduleDeviceMethod('off', '*', reboot, later())

    const { jobStatus } = await jobs.cancelJob('cancelled')
    const inOtherForm = await called((done) => jobs.cancelJob('off', done))

    expect(jobStatus).toMatchObject({ jobId: 'cancelled', status: 'cancelled' })
    expect(inOtherForm.jobStatus).toMatchObject({ jobId: 'off', status: 'cancelled' })
    expect((await jobs.getJob('off')).jobStatus).toMatchObject({ status: 'cancelled' })
  })

  it('JobClient.scheduleTwinUpdate, JobClient.getJob and JobClient.cancelJob take a number as id', async () => {
    const { jobStatus } = await jobs.scheduleTwinUpdate(42, '*', { etag: '*', tags: {} }, later())

    expect(jobStatus).toMatchObject({ jobId: '42', status: 'queued' })
    expect((await jobs.getJob(42)).jobStatus).toMatchObject({ jobId: '42' })
    expect((await jobs.cancelJob(42)).jobStatus).toMatchObject({ jobId: '42', status: 'cancelled' })
  })

  it('JobClient.scheduleDeviceMethod calls with null where the SDK finds nothing, and waits for half a minute', async () => {
    await jobs.scheduleDeviceMethod('bare', condition, { methodName: 'reboot' })

    expect((await ending(hub, 'bare')).deviceJobStatistics).toMatchObject(counts)
    expect((await jobs.getJob('bare')).jobStatus).toMatchObject({
      cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 30 },
    })
    expect(lamp.calls.at(-1)?.payload).toBeNull()
  })
})

describe('jobs that are refused', () => {
  it('JobClient.scheduleTwinUpdate and JobClient.scheduleDeviceMethod say what is wrong, in both forms', async () => {
    const wrong = await failureOf(jobs.scheduleTwinUpdate('wrong', 'tags.floor =', { etag: '*', tags: {} }))
    const unguarded = await failureOf(called((done) => jobs.scheduleTwinUpdate('wrong', '*', { tags: {} }, done)))
    const nameless = await failureOf(jobs.scheduleDeviceMethod('wrong', '*', { ...reboot, methodName: 'a b' }))
    const slow = await failureOf(
      called((done) => jobs.scheduleDeviceMethod('wrong', '*', { ...reboot, responseTimeoutInSeconds: 301 }, done)),
    )

    expect([wrong, unguarded, nameless, slow]).toMatchObject([
      { name: 'ArgumentError', status: 400, message: expect.stringContaining('Line 1:41 found the end of the text') },
      { name: 'ArgumentError', status: 400, message: expect.stringContaining('etag') },
      { name: 'ArgumentError', status: 400, message: expect.stringContaining('methodName') },
      { name: 'ArgumentError', status: 400, message: expect.stringContaining('responseTimeoutInSeconds') },
    ])
    expect(await failureOf(jobs.getJob('wrong'))).toMatchObject({ status: 404 })
  })

  it('JobClient.scheduleTwinUpdate with an id that is taken is a DeviceAlreadyExistsError, which the SDK makes of any 409', async () => {
    await jobs.scheduleTwinUpdate('taken', '*', { etag: '*', tags: {} }, later())

    expect(await failureOf(jobs.scheduleTwinUpdate('taken', '*', { etag: '*', tags: {} }))).toMatchObject({
      name: 'DeviceAlreadyExistsError',
      status: 409,
      message: 'A job with the id taken exists already, choose another id',
    })
  })

  it('JobClient.getJob and JobClient.cancelJob of an unknown job are not found', async () => {
    const unknown = { name: 'Error', message: 'Not found', status: 404, body: expect.stringContaining('JobNotFound') }

    expect(await failureOf(jobs.getJob('nothing'))).toMatchObject(unknown)
    expect(await failureOf(called((done) => jobs.getJob('nothing', done)))).toMatchObject(unknown)
    expect(await failureOf(jobs.cancelJob('nothing'))).toMatchObject(unknown)
  })

  it('JobClient.cancelJob of a job that has ended is refused with the reason', async () => {
    await jobs.scheduleTwinUpdate('over', condition, { etag: '*', tags: {} })
    await ending(hub, 'over')

    expect(await failureOf(jobs.cancelJob('over'))).toMatchObject({
      name: 'Error',
      status: 405,
      message: "Job cannot be cancelled in 'Completed' status.",
    })
  })
})
