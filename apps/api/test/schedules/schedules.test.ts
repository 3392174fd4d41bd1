import { findDueSchedules, runSchedule } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, noon, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api[Symbol.asyncDispose]())

const job = {
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'reboot', payload: { at: 12345678901234567890n.toString() } },
  queryCondition: 'tags.building = 43',
}
const shownJob = {
  type: 'scheduleDeviceMethod',
  queryCondition: 'tags.building = 43',
  maxExecutionTimeInSeconds: 3600,
  cloudToDeviceMethod: {
    methodName: 'reboot',
    responseTimeoutInSeconds: 30,
    connectTimeoutInSeconds: 0,
    payload: { at: '12345678901234567890' },
  },
}
const good = { cron: '0 3 * * 1', timeZone: 'Europe/Berlin', job }

/** What a dispatcher does at a time. */
async function passAt(time: string): Promise<void> {
  const now = new Date(time)
  for (const id of await findDueSchedules(api.db, { limit: 10 }, now)) await runSchedule(api.db, id, now)
}

describe('R80 R88 a schedule', () => {
  it('is put and read with its next runs, and is gone when it is deleted', async () => {
    const shown = {
      id: 'weekly',
      cron: '0 3 * * 1',
      timeZone: 'Europe/Berlin',
      overlap: 'skip',
      catchUp: 'none',
      createdTime: '2026-03-02T12:00:00.000Z',
      updatedTime: '2026-03-02T12:00:00.000Z',
      updatedBy: 'policy:iothubowner',
      nextRunTimes: [
        '2026-03-09T02:00:00.000Z',
        '2026-03-16T02:00:00.000Z',
        '2026-03-23T02:00:00.000Z',
        '2026-03-30T01:00:00.000Z',
        '2026-04-06T01:00:00.000Z',
      ],
      runCount: 0,
      skippedCount: 0,
      missedCount: 0,
      job: shownJob,
    }

    const put = await api.send('PUT', '/schedules/weekly', good)
    const read = await api.send('GET', '/schedules/weekly')
    const list = await api.send('GET', '/schedules')
    const deleted = await api.send('DELETE', '/schedules/weekly')

    expect([put.status, put.body]).toEqual([200, shown])
    expect([read.status, read.body]).toEqual([200, shown])
    expect([list.status, list.body, list.headers.get('x-ms-item-type')]).toEqual([200, [shown], 'Schedule'])
    expect(deleted.status).toBe(204)
    for (const method of ['GET', 'DELETE'] as const) {
      const { status, body } = await api.send(method, '/schedules/weekly')
      expect([status, body.Message]).toEqual([404, 'ErrorCode:GenericNotFound;There is no schedule with the id weekly'])
    }
  })

  it('may be put as it was read, with all that it can have', async () => {
    const members = {
      every: 3600,
      overlap: 'queue',
      catchUp: 'last',
      startAt: '2026-03-03T00:00:00.000Z',
      endAt: '2026-03-03T01:30:00.000Z',
      maxRuns: 9,
      job: { ...shownJob, queryCondition: undefined, deviceIds: ['a', 'b'], rollout: { maximumPerMinute: 60 } },
    }
    await api.send('PUT', '/schedules/all', members)

    const { body: read } = await api.send('GET', '/schedules/all')

    expect(read).toMatchObject(JSON.parse(JSON.stringify(members)))
    expect(read.nextRunTimes).toEqual(['2026-03-03T00:00:00.000Z', '2026-03-03T01:00:00.000Z'])
    const { every, overlap, catchUp, startAt, endAt, maxRuns, job } = read
    const again = await api.send('PUT', '/schedules/all', { every, overlap, catchUp, startAt, endAt, maxRuns, job })
    expect(again.body).toEqual(read)
    await api.send('DELETE', '/schedules/all')
  })

  it('shows what became of its runs, and its job shows it', async () => {
    await api.send('PUT', '/schedules/s', { every: 60, maxRuns: 4, job })
    await passAt('2026-03-02T12:01:00Z')
    await passAt('2026-03-02T12:02:00Z')

    const { body } = await api.send('GET', '/schedules/s')

    expect(body).toMatchObject({
      runCount: 1,
      skippedCount: 1,
      missedCount: 0,
      lastRunTime: '2026-03-02T12:01:00.000Z',
      lastJobId: 's-20260302T120100Z',
      lastSkippedTime: '2026-03-02T12:02:00.000Z',
      nextRunTimes: ['2026-03-02T12:03:00.000Z', '2026-03-02T12:04:00.000Z', '2026-03-02T12:05:00.000Z'],
    })
    const path = `/jobs/v2/${body.lastJobId}`
    expect((await api.send('GET', path)).body).toMatchObject({ scheduleId: 's', startTime: '2026-03-02T12:01:00.000Z' })
    expect((await api.send('GET', path, undefined, { apiVersion: '2016-11-14' })).body).not.toHaveProperty('scheduleId')
    expect((await api.send('GET', `${path}/history`)).body).toMatchObject([{ kind: 'created', actor: 'schedule:s' }])
    await api.send('DELETE', '/schedules/s')
  })

  it('is listed in pages', async () => {
    for (const id of ['p1', 'p2', 'p3']) await api.send('PUT', `/schedules/${id}`, good)

    const first = await api.send('GET', '/schedules?pageSize=2')
    const token = first.headers.get('x-ms-continuation') ?? ''
    const second = await api.send('GET', `/schedules?pageSize=2&continuationToken=${token}`)

    const ids = [...first.body, ...second.body].map(({ id }: { id: string }) => id)
    expect([first.body.length, ids]).toEqual([2, ['p1', 'p2', 'p3']])
  })
})

describe('R87 a bad schedule is refused, and the answer names the member, its value and what was expected', () => {
  const cronRule =
    'cron must be minute, hour, day of the month, month and day of the week, such as "0 3 * * 1" for Mondays at 03:00'

  it.each<readonly [unknown, string]>([
    [undefined, 'the body is missing, it must be an object'],
    [{ job }, 'cron is missing, expected minute, hour, day of the month'],
    [{ ...good, every: 60 }, 'cron and every are both there, expected one of the two'],
    [{ every: 60, timeZone: 'UTC', job }, 'timeZone goes with cron and not with every, got "UTC"'],
    [{ every: 59, job }, 'every must be at least 60, got 59'],
    [{ every: 1.5, job }, 'every must be an integer, got 1.5'],
    [{ every: 31_622_401, job }, 'every must be at most 31622400, got 31622401'],
    [{ ...good, cron: 'weekly' }, `${cronRule}, got "weekly"`],
    [{ ...good, cron: '0 0 3 * * 1' }, `${cronRule}, got "0 0 3 * * 1"`],
    [{ ...good, cron: '0 0 30 2 *' }, 'cron must come at some time, this one never does'],
    [
      { ...good, timeZone: 'Europe/Berlim' },
      'timeZone must be the name of a time zone, such as Europe/Berlin, got "Europe/Berlim"',
    ],
    [{ ...good, timeZone: '+02:00' }, 'timeZone must be the name of a time zone, such as Europe/Berlin, got "+02:00"'],
    [{ ...good, overlap: 'wait' }, 'overlap must be one of skip, queue, cancelPrevious, got "wait"'],
    [{ ...good, catchUp: 'all' }, 'catchUp must be one of none, last, got "all"'],
    [{ ...good, maxRuns: 0 }, 'maxRuns must be at least 1, got 0'],
    [{ ...good, startAt: 'soon' }, 'startAt must be ISO 8601 such as 2026-01-31T10:00:00Z, before 2036-'],
    [{ ...good, startAt: '9999-01-01T00:00:00Z' }, 'startAt must be ISO 8601'],
    [
      { ...good, startAt: '2026-04-01', endAt: '2026-04-01' },
      'endAt must lie after startAt, got "2026-04-01" and "2026-04-01"',
    ],
    [
      { ...good, endAt: '2026-03-03' },
      'endAt must lie after the first run, no time of the schedule comes from now on until then',
    ],
    [{ ...good, timezone: 'UTC' }, 'timezone is not known, expected one of cron, every, timeZone'],
    [{ every: 60 }, 'job is missing, it must be an object, the body of a new job without jobId and startTime'],
    [
      { every: 60, job: 'reboot' },
      'job must be an object, the body of a new job without jobId and startTime, got "reboot"',
    ],
    [{ every: 60, job: { ...job, JobId: 'x' } }, 'job.JobId must be absent: each run has its own, got "x"'],
    [
      { every: 60, job: { ...job, startTime: '2026-03-03' } },
      'job.startTime must be absent: each run has its own, got "2026-03-03"',
    ],
    [{ every: 60, job: { ...job, queryCondition: 'tags.' } }, 'job: queryCondition'],
    [{ every: 60, job: { ...job, type: 'reboot' } }, 'job: type "reboot" is not known, expected one of'],
    [{ every: 60, job: { ...job, priority: 2000 } }, 'job: priority must be at most 1000, got 2000'],
  ])('%j', async (body, message) => {
    const { status, body: reply } = await api.send('PUT', '/schedules/bad', body)

    expect(status).toBe(400)
    expect(reply.Message.replace(/^ErrorCode:\w+;/, '')).toContain(message)
  })

  it.each(['', '-a', 'a b', 'a/b', 'x'.repeat(47)])('the id %j', async (id) => {
    const { status } = await api.send('PUT', `/schedules/${encodeURIComponent(id)}`, good)

    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })

  it('and nothing of it is kept', async () => {
    expect((await api.send('GET', '/schedules/bad')).status).toBe(404)
  })
})

it('R87 the longest id of a schedule leaves room for the time of its runs', async () => {
  const id = 'x'.repeat(46)
  await api.send('PUT', `/schedules/${id}`, { every: 60, job })
  await passAt('2026-03-02T12:01:00Z')

  expect((await api.send('GET', `/jobs/v2/${id}-20260302T120100Z`)).body).toMatchObject({ scheduleId: id })
  expect(api.clock.now()).toEqual(noon)
})
