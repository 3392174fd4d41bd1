import { jobKey, jsonText } from '@muster/contract'
import { advanceStages, claimChunk, insertWorker, readRunningJob, recordFirstAttempts, startJob } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, noon, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const deviceIds = Array.from({ length: 20 }, (_, no) => `device-${no}`)
const job = { type: 'scheduleDeviceMethod', cloudToDeviceMethod: { methodName: 'ring' }, deviceIds }
const put = (jobId: string, members: object, options = {}) =>
  api.send('PUT', `/jobs/v2/${jobId}`, { ...job, ...members }, options)

describe('R26 the stages and criteria of a job', () => {
  const rollout = {
    stages: [{ size: '5%', successThreshold: 99.5, soakSeconds: 60, approval: 'manual' }, {}],
    order: 'id',
  }
  const abort = { criteria: [{ failureType: 'all', thresholdPercentage: 2.5, minNumberOfExecuted: 10 }] }

  it('are shown as they were given, but not in the vocabulary of 2016', async () => {
    const created = await put('shown', { rollout, abort })
    const { body } = await api.send('GET', '/jobs/v2/shown')
    const of2016 = await api.send('GET', '/jobs/v2/shown', undefined, { apiVersion: '2016-11-14' })

    expect(created.body).toEqual({ jobId: 'shown', type: 'scheduleDeviceMethod', status: 'queued' })
    expect(body).toMatchObject({ rollout, abort })
    expect(Object.keys(of2016.body)).not.toEqual(expect.arrayContaining(['rollout']))
    expect(Object.keys(of2016.body)).not.toEqual(expect.arrayContaining(['abort']))
  })

  it.each([
    [{ rollout: { stages: [] } }, 'rollout.stages must be a list of at least 1, got []'],
    [{ rollout: { stages: 'all' } }, 'rollout.stages must be an array, got "all"'],
    [{ rollout: { stages: Array(101).fill({ size: 1 }) } }, 'rollout.stages must be a list of at most 100'],
    [
      { rollout: { stages: [{ size: '60%' }, { size: '40.01%' }] } },
      'rollout.stages must be stages whose shares are at most 100 % together, not 100.01 %',
    ],
    [{ rollout: { stages: [{ size: 0 }, {}] } }, 'rollout.stages.0.size must be at least 1, got 0'],
    [
      { rollout: { stages: [{ size: '0%' }, {}] } },
      'rollout.stages.0.size must be more than 0 % and at most 100 %, got "0%"',
    ],
    [{ rollout: { stages: [{ size: '101%' }, {}] } }, 'rollout.stages.0.size must be more than 0 % and at most 100 %'],
    [
      { rollout: { stages: [{ size: 'five' }, {}] } },
      'rollout.stages.0.size must be a percentage such as "5%", or a number of devices, at least 1, got "five"',
    ],
    [
      { rollout: { stages: [{ size: 1, condition: '*' }, {}] } },
      'rollout.stages.0 must be an object with size or condition, but not both',
    ],
    [
      { rollout: { stages: [{}, {}] } },
      'rollout.stages.0 must be an object with size or condition: only the last stage takes the rest',
    ],
    [{ rollout: { stages: [{ condition: ' ' }, {}] } }, 'rollout.stages.0.condition is empty, expected a condition'],
    [{ rollout: { stages: [{ size: 1 }, { condition: 'tags.x =' }] } }, 'rollout.stages.1.condition: '],
    [{ rollout: { stages: [{ condition: 'x = 1' }, {}] } }, 'rollout.stages.0.condition: '],
    [
      { rollout: { stages: [{ condition: "tags.x = 'a\u0000'" }, {}] } },
      'rollout.stages.0.condition must not contain U+0000',
    ],
    [
      { rollout: { stages: [{ condition: `tags.x = '${'x'.repeat(8192)}'` }, {}] } },
      'rollout.stages.0.condition has 8203 characters',
    ],
    [
      { rollout: { stages: [{ size: 15 }, { size: 6 }] } },
      'rollout.stages must be for at most 20 devices, which deviceIds holds, got 21',
    ],
    [
      { rollout: { stages: [{ size: 1, successThreshold: 0 }, {}] } },
      'rollout.stages.0.successThreshold must be more than 0, got 0',
    ],
    [
      { rollout: { stages: [{ size: 1, successThreshold: 101 }, {}] } },
      'rollout.stages.0.successThreshold must be at most 100',
    ],
    [
      { rollout: { stages: [{ size: 1, successThreshold: 99.999 }, {}] } },
      'rollout.stages.0.successThreshold must be a percentage with at most two decimals, got 99.999',
    ],
    [
      { rollout: { stages: [{ size: 1, soakSeconds: 604_801 }, {}] } },
      'rollout.stages.0.soakSeconds must be at most 604800',
    ],
    [
      { rollout: { stages: [{ size: 1, approval: 'auto' }, {}] } },
      'rollout.stages.0.approval must be one of manual, got "auto"',
    ],
    [{ rollout: { stages: [{ size: 1, soak: 3 }, {}] } }, 'rollout.stages.0.soak is not known, expected one of'],
    [
      { rollout: { stages: [{ size: 1, abort: {} }, {}] } },
      'rollout.stages.0.abort must be an object with one of failurePercent and failureCount',
    ],
    [
      { rollout: { stages: [{ size: 1, abort: { failureCount: 1, failurePercent: 1 } }, {}] } },
      'rollout.stages.0.abort must be an object with one of failurePercent and failureCount',
    ],
    [
      { rollout: { stages: [{ size: 1, abort: { failureCount: 1, minEnded: 1 } }, {}] } },
      'rollout.stages.0.abort.minEnded must be absent beside failureCount',
    ],
    [
      { rollout: { stages: [{ size: 1, abort: { failureCount: 1, codes: ['Timeout'] } }, {}] } },
      'rollout.stages.0.abort.codes.0 must be one of ArgumentInvalid, ',
    ],
    [
      { rollout: { stages: [{ size: 1, abort: { failureCount: 1, action: 'fail' } }, {}] } },
      'rollout.stages.0.abort.action must be one of pause, cancel, got "fail"',
    ],
    [{ rollout: { order: 'id' } }, 'rollout.order must be absent without rollout.stages, got "id"'],
    [
      { rollout: { stages: [{}], order: 'name' } },
      'rollout.order must be "random", "id" or an object such as {"tag": "tags.floor"}',
    ],
    [
      { rollout: { stages: [{}], order: { tag: 'floor' } } },
      'rollout.order.tag must be a path such as tags.building.floor',
    ],
    [{ abort: {} }, 'abort.criteria is missing'],
    [{ abort: { criteria: [] } }, 'abort.criteria must be a list of at least 1, got []'],
    [
      { abort: { criteria: [{ failureType: 'all', thresholdPercentage: 0, minNumberOfExecuted: 1 }] } },
      'abort.criteria.0.thresholdPercentage must be more than 0, got 0',
    ],
    [
      { abort: { criteria: [{ failureType: 'all', thresholdPercentage: 1, minNumberOfExecuted: 0 }] } },
      'abort.criteria.0.minNumberOfExecuted must be at least 1, got 0',
    ],
    [
      { abort: { criteria: [{ failureType: 'ALL', thresholdPercentage: 1, minNumberOfExecuted: 1 }] } },
      'abort.criteria.0.failureType must be one of failed, timedOut, rejected, all, got "ALL"',
    ],
    [{ Abort: { criteria: [] } }, 'Abort is not known. The nearest is abort.'],
  ])('are refused if they are wrong: %j', async (members, message) => {
    const { status, body } = await put('wrong', members)

    expect(status).toBe(400)
    expect(body.Message).toContain(message)
    expect((await api.send('GET', '/jobs/v2/wrong')).status).toBe(404)
  })

  it('lead to warnings in the reply if they can never do anything, though not in that of 2016', async () => {
    const idle = {
      rollout: {
        stages: [
          { size: 3, abort: { failureCount: 4 } },
          { size: '10%', abort: { failurePercent: 10, minEnded: 3 } },
          { successThreshold: 90, soakSeconds: 5, approval: 'manual', abort: { failureCount: 1000 } },
        ],
      },
      abort: { criteria: [{ failureType: 'all', thresholdPercentage: 1, minNumberOfExecuted: 21 }] },
    }

    const created = await put('warned', idle)
    const of2016 = await put('warned-2016', idle, { apiVersion: '2016-11-14' })

    expect(created.body.warnings).toEqual([
      'rollout.stages.0.abort.failureCount is 4 devices, but the stage has 3 at most: it never stops the job',
      'rollout.stages.1.abort.minEnded is 3 devices, but the stage has 2 at most: it never stops the job',
      'rollout.stages.2.successThreshold opens nothing: no stage follows this one',
      'rollout.stages.2.soakSeconds opens nothing: no stage follows this one',
      'rollout.stages.2.approval opens nothing: no stage follows this one',
      'abort.criteria.0.minNumberOfExecuted is 21 devices, but the job has 20: it never stops the job',
    ])
    expect(of2016.body).not.toHaveProperty('warnings')
  })

  it('are checked for the job of one device too', async () => {
    const address = '/jobs/v2/device-1/methods/single'
    const body = { ...job, rollout: { stages: [{ condition: 'tags.' }, {}] } }

    expect((await api.send('PUT', address, body)).status).toBe(400)
  })
})

describe('R27 the stages of a job', () => {
  it('are none before it starts', async () => {
    await put('early', { rollout: { stages: [{ size: 1 }, {}] } })

    expect((await api.send('GET', '/jobs/v2/early/stages')).body).toEqual({ items: [] })
  })

  it('are one if it has none of its own', async () => {
    await put('plain', {})
    await start('plain')

    const { body } = await api.send('GET', '/jobs/v2/plain/stages')

    expect(body).toEqual({
      items: [
        {
          stageNo: 0,
          status: 'open',
          openedTime: '2026-03-02T12:00:00.000Z',
          deviceJobStatistics: statistics({ deviceCount: 20, pendingCount: 20 }),
        },
      ],
    })
  })

  it('show their counts, their times, and what the gate waits for, with numbers', async () => {
    await put('gated', { rollout: { stages: [{ size: 4, successThreshold: 75, soakSeconds: 60 }, {}] } })
    const key = await start('gated')
    const read = async () => (await api.send('GET', '/jobs/v2/gated/stages')).body.items

    const before = await read()
    await succeed(key)
    await advanceStages(api.db, key, noon)
    const soaking = await read()
    await advanceStages(api.db, key, new Date('2026-03-02T12:01:00Z'))
    const after = await read()

    expect(before[0].waitsFor).toEqual({
      kind: 'devices',
      text: '0 of 4 devices of stage 0 succeeded, 0.00 %, and 4 have not ended; the next stage needs 75 %',
    })
    expect(soaking).toEqual([
      {
        stageNo: 0,
        status: 'open',
        openedTime: '2026-03-02T12:00:00.000Z',
        waitsFor: {
          kind: 'soak',
          text: '4 of 4 devices of stage 0 succeeded, 100.00 %; the next stage needs 75 %',
          untilTime: '2026-03-02T12:01:00.000Z',
        },
        deviceJobStatistics: statistics({ deviceCount: 4, succeededCount: 4 }),
      },
      { stageNo: 1, status: 'waiting', deviceJobStatistics: statistics({ deviceCount: 16, pendingCount: 16 }) },
    ])
    expect(after).toMatchObject([
      { status: 'closed', closedTime: '2026-03-02T12:01:00.000Z' },
      {
        status: 'open',
        openedTime: '2026-03-02T12:01:00.000Z',
        reason: '4 of 4 devices of stage 0 succeeded, 100.00 %; the next stage needs 75 %',
      },
    ])
    expect(after[0]).not.toHaveProperty('waitsFor')
    expect(after[1]).not.toHaveProperty('waitsFor')
  })

  it('are closed when the job has ended, whether they had opened or not', async () => {
    await put('cancelled', { rollout: { stages: [{ size: 4 }, {}] } })
    await start('cancelled')
    await api.send('POST', '/jobs/v2/cancelled/cancel')

    const { body } = await api.send('GET', '/jobs/v2/cancelled/stages')

    expect(body.items).toMatchObject([
      { status: 'closed', closedTime: '2026-03-02T12:00:00.000Z', deviceJobStatistics: { canceledCount: 4 } },
      { status: 'closed', closedTime: '2026-03-02T12:00:00.000Z', deviceJobStatistics: { canceledCount: 16 } },
    ])
    expect(body.items[1]).not.toHaveProperty('openedTime')
  })

  it.each(['GET', 'POST'])('of an unknown job are not found: %s', async (method) => {
    const { status, body } = await api.send(method, `/jobs/v2/nothing/stages${method === 'POST' ? '/next' : ''}`)

    expect(status).toBe(404)
    expect(body.Message).toContain('JobNotFound')
  })
})

describe('R28 the next stage', () => {
  it('opens for who asks, and the answer shows the stages; the history says who it was', async () => {
    await put('next', { rollout: { stages: [{ size: 4, successThreshold: 100 }, {}] } })
    await start('next')

    const { status, body } = await api.send('POST', '/jobs/v2/next/stages/next')
    const history = await api.send('GET', '/jobs/v2/next/history')

    expect(status).toBe(200)
    expect(body.items).toMatchObject([{ status: 'closed' }, { status: 'open', reason: 'asked for' }])
    expect(history.body.at(-1)).toMatchObject({
      kind: 'stage',
      actor: 'policy:iothubowner',
      stageNo: 1,
      deviceCount: 16,
      reason: 'asked for',
    })
  })

  it.each([
    ['not started', 'The job is queued, not running.', async () => {}],
    [
      'in its last stage',
      'No stage of the job is left to open.',
      async () => {
        await start('refused-1')
        await api.send('POST', '/jobs/v2/refused-1/stages/next')
      },
    ],
    [
      'over',
      'The job is cancelled, not running.',
      async () => {
        await api.send('POST', '/jobs/v2/refused-2/cancel')
      },
    ],
  ])('of a job that is %s is refused', async (_, message, given) => {
    const no = ['The job is queued, not running.', 'No stage of the job is left to open.'].indexOf(message)
    const jobId = `refused-${no < 0 ? 2 : no}`
    await put(jobId, { rollout: { stages: [{ size: 4 }, {}] } })
    await given()

    const { status, body } = await api.send('POST', `/jobs/v2/${jobId}/stages/next`)

    expect(status).toBe(405)
    expect(body.Message).toBe(`ErrorCode:OperationNotAllowedInCurrentState;${message}`)
  })
})

function statistics(counts: Readonly<Record<string, number>>) {
  const none = { deviceCount: 0, succeededCount: 0, failedCount: 0, runningCount: 0, pendingCount: 0, canceledCount: 0 }
  return { ...none, ...counts }
}

/** As a dispatcher would. */
async function start(jobId: string) {
  const { rows } = await api.db.execute<{ key: string }>(
    `select job_key::text as key from jobs where job_id = '${jobId}'`,
  )
  const key = jobKey(rows[0]?.key ?? '')
  await startJob(api.db, key, { maxRunningJobs: 1000, chunkSize: () => 100 }, noon)
  return key
}

/** The devices of the next chunk answer. */
async function succeed(key: Awaited<ReturnType<typeof start>>): Promise<void> {
  await insertWorker(api.db, { workerId: 'worker-1', leaseUntil: new Date(noon.getTime() + 60_000) }, noon)
  const running = await readRunningJob(api.db, key)
  const claim = running === null ? null : await claimChunk(api.db, running, 'worker-1', noon)
  if (claim === null || !('deviceIds' in claim)) throw new Error('there is no chunk')
  const response = jsonText({ status: 200, payload: null })
  const outcomes = claim.deviceIds.map((deviceId) => ({ deviceId, status: 'completed', response }) as const)
  await recordFirstAttempts(api.db, [{ claim, outcomes }], noon)
}
