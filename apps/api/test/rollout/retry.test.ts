import { jsonText } from '@muster/contract'
import { claimChunk, insertWorker, isNotNow, readRunningJob, recordFirstAttempts } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, noon, openApi } from '../api.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const methodJob = {
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'reboot' },
  deviceIds: ['pump-1'],
}

describe('retry of a job', () => {
  it('R50 is shown as it was given, but not to who asks in the words of 2016', async () => {
    const retry = { maxAttempts: 3, on: ['5xx'], backoff: { jitter: 'none' }, deviceSays: true }

    const created = await api.send('PUT', '/jobs/v2/retried', { ...methodJob, retry })

    expect(created.status).toBe(200)
    expect((await api.send('GET', '/jobs/v2/retried')).body.retry).toEqual(retry)
    const of2016 = await api.send('GET', '/jobs/v2/retried', undefined, { apiVersion: '2016-11-14' })
    expect(of2016.body).not.toHaveProperty('retry')
  })

  it.each([
    [
      'a twin job',
      {
        type: 'scheduleUpdateTwin',
        updateTwin: { etag: '*', tags: {} },
        deviceIds: ['pump-1'],
        retry: { maxAttempts: 2 },
      },
      'retry is for scheduleDeviceMethod',
    ],
    [
      'one that asks twice for the same',
      {
        ...methodJob,
        cloudToDeviceMethod: { methodName: 'reboot', onUnknownOutcome: 'retry' },
        retry: { maxAttempts: 2, on: ['unknownOutcome'] },
      },
      'expected one of the two',
    ],
    [
      'one with an unknown class',
      { ...methodJob, retry: { maxAttempts: 2, on: ['5x'] } },
      'the nearest is 5xx, got "5x"',
    ],
    [
      'one with a misspelled name',
      { ...methodJob, Retry: { maxAttempts: 2 } },
      'Retry is not known. The nearest is retry',
    ],
  ])('R50 is refused of %s', async (_, body, message) => {
    const { status, body: answer } = await api.send('PUT', '/jobs/v2/refused', body)

    expect(status).toBe(400)
    expect(answer.Message).toContain(message)
    expect((await api.send('GET', '/jobs/v2/refused')).status).toBe(404)
  })
})

it('R57 the row of a device shows its calls, but not to who asks in the words of 2016', async () => {
  await api.send('PUT', '/devices/valve-1', { deviceId: 'valve-1' })
  const { key } = await givenStartedJob(api, 'called', "deviceId = 'valve-1'")
  await insertWorker(api.db, { workerId: 'worker', leaseUntil: new Date(noon.getTime() + 60_000) }, noon)
  const job = await readRunningJob(api.db, key)
  const claim = job === null ? null : await claimChunk(api.db, job, 'worker', noon)
  if (claim === null || isNotNow(claim)) throw new Error('there was nothing to claim')
  const kept = { time: noon.toISOString(), status: 200, text: '"ok"' }
  const response = jsonText({ status: 200, payload: 'ok' })
  const outcome = { deviceId: 'valve-1', deliveredAt: noon, status: 'completed', response, kept } as const
  await recordFirstAttempts(api.db, [{ claim, outcomes: [outcome] }], noon)

  const page = await api.send('GET', '/jobs/v2/called/devices')
  const of2016 = await api.send('GET', '/jobs/v2/called/devices', undefined, { apiVersion: '2016-11-14' })

  expect(page.body.items).toMatchObject([{ deviceId: 'valve-1', attempts: [kept] }])
  expect(of2016.body.items).toMatchObject([{ deviceId: 'valve-1' }])
  expect(of2016.text).not.toContain('attempts')
})
