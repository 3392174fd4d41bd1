import { describe, expect, it } from 'vitest'
import { cronTimeAfter, isCron } from './cron.ts'
import { isTimeZone, wallTimeOf } from './local-time.ts'
import { runTimesAfter } from './run-times.ts'

/** The next times as `<month>-<day> <hour>:<minute>` of UTC. */
function timesOf(cron: string, timeZone: string, after: string, count = 3): readonly string[] {
  const times = { rhythm: { kind: 'cron', cron, timeZone }, startAt: null, endAt: null } as const
  return runTimesAfter(times, new Date(after), count).map((time) => time.toISOString().slice(5, 16).replace('T', ' '))
}

describe('R82 where the clock of a zone is changed', () => {
  it.each([
    ['Europe/Berlin', '30 2 * * *', '2026-03-28T00:00:00Z', ['03-28 01:30', '03-29 01:00', '03-30 00:30']],
    ['Europe/Berlin', '15,45 2 * * *', '2026-03-28T12:00:00Z', ['03-29 01:00', '03-30 00:15', '03-30 00:45']],
    ['Europe/Berlin', '0 2,3 * * *', '2026-03-28T12:00:00Z', ['03-29 01:00', '03-30 00:00', '03-30 01:00']],
    ['America/New_York', '30 2 * * *', '2026-03-07T12:00:00Z', ['03-08 07:00', '03-09 06:30', '03-10 06:30']],
    ['Australia/Lord_Howe', '15 2 * * *', '2026-10-02T16:00:00Z', ['10-03 15:30', '10-04 15:15', '10-05 15:15']],
    ['Africa/Cairo', '30 0 * * *', '2026-04-22T00:00:00Z', ['04-22 22:30', '04-23 22:00', '04-24 21:30']],
    ['Pacific/Apia', '0 12 * * *', '2011-12-29T00:00:00Z', ['12-29 22:00', '12-30 10:00', '12-30 22:00']],
  ])('a time that it leaves out comes after the gap: %s %s', (timeZone, cron, after, expected) => {
    expect(timesOf(cron, timeZone, after)).toEqual(expected)
  })

  it.each([
    ['Europe/Berlin', '30 2 * * *', '2026-10-24T12:00:00Z', ['10-25 00:30', '10-26 01:30', '10-27 01:30']],
    ['Europe/Berlin', '30 2 * * *', '2026-10-25T00:45:00Z', ['10-26 01:30', '10-27 01:30', '10-28 01:30']],
    ['Europe/Berlin', '*/30 2 * * *', '2026-10-24T12:00:00Z', ['10-25 00:00', '10-25 00:30', '10-26 01:00']],
    ['Europe/Berlin', '0 */2 * * *', '2026-10-24T23:00:00Z', ['10-25 00:00', '10-25 03:00', '10-25 05:00']],
    ['America/New_York', '30 1 * * *', '2026-10-31T12:00:00Z', ['11-01 05:30', '11-02 06:30', '11-03 06:30']],
    ['Australia/Lord_Howe', '45 1 * * *', '2026-04-03T15:00:00Z', ['04-04 14:45', '04-05 15:15', '04-06 15:15']],
  ])('a time that it shows twice comes once: %s %s', (timeZone, cron, after, expected) => {
    expect(timesOf(cron, timeZone, after)).toEqual(expected)
  })

  it.each([
    ['Europe/Berlin', '2026-03-29T00:00:00Z', ['03-29 00:30', '03-29 01:30', '03-29 02:30']],
    ['Europe/Berlin', '2026-10-25T00:00:00Z', ['10-25 00:30', '10-25 01:30', '10-25 02:30']],
    ['America/New_York', '2026-11-01T05:00:00Z', ['11-01 05:30', '11-01 06:30', '11-01 07:30']],
  ])('the hour * comes at each hour that passes: %s %s', (timeZone, after, expected) => {
    expect(timesOf('30 * * * *', timeZone, after)).toEqual(expected)
  })

  it('the local hour of a weekly run stays', () => {
    expect(timesOf('0 3 * * 1', 'Europe/Berlin', '2026-03-22T00:00:00Z')).toEqual([
      '03-23 02:00',
      '03-30 01:00',
      '04-06 01:00',
    ])
  })

  it.each([
    ['Europe/Berlin', '2026-03-28T20:00:00Z'],
    ['Europe/Berlin', '2026-10-24T20:00:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T10:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T10:00:00Z'],
    ['America/St_Johns', '2026-11-01T00:00:00Z'],
  ])('the times are those of a walk over all minutes: %s from %s', (timeZone, start) => {
    for (const cron of ['*/15 1-3 * * *', '7 1,2,3 * * *', '*/20 * * * *', '10-50/7 0-4 * * 0,6', '0 */2 * * *']) {
      const walked = walk(cron, timeZone, new Date(start))
      const found: Date[] = []
      for (let time = cronTimeAfter(cron, timeZone, new Date(start)); time !== null; ) {
        if (time.getTime() > new Date(start).getTime() + dayMs) break
        found.push(time)
        time = cronTimeAfter(cron, timeZone, time)
      }

      expect(
        found.map((time) => time.toISOString()),
        cron,
      ).toEqual(walked)
    }
  })
})

const dayMs = 24 * 3_600_000

/** The times of a day by the rule itself: from each wall time that the expression has to the minutes that show it. */
function walk(cron: string, timeZone: string, start: Date): readonly string[] {
  const shown = minutesByWallTime(timeZone, start)
  const walls = [...shown.keys()].sort((one, other) => one - other)
  const isHourly = cron.split(' ')[1] === '*'
  const until = wallTimeOf(start, timeZone).getTime() + 1.5 * dayMs
  const times = new Set<number>()
  let wallTime = cronTimeAfter(cron, 'UTC', new Date(until - 2 * dayMs))
  while (wallTime !== null && wallTime.getTime() <= until) {
    const wallMs = wallTime.getTime()
    const at = shown.get(wallMs) ?? (isHourly ? [] : shown.get(walls.find((wall) => wall > wallMs) ?? 0))
    for (const time of (isHourly ? at : at?.slice(0, 1)) ?? []) times.add(time)
    wallTime = cronTimeAfter(cron, 'UTC', wallTime)
  }
  return [...times]
    .filter((time) => time > start.getTime() && time <= start.getTime() + dayMs)
    .sort((one, other) => one - other)
    .map((time) => new Date(time).toISOString())
}

/** The minutes of the days around a time, by what the clock of the zone shows. */
function minutesByWallTime(timeZone: string, around: Date): ReadonlyMap<number, readonly number[]> {
  const shown = new Map<number, number[]>()
  for (let time = around.getTime() - dayMs; time < around.getTime() + 2 * dayMs; time += 60_000) {
    const wallMs = wallTimeOf(new Date(time), timeZone).getTime()
    shown.set(wallMs, [...(shown.get(wallMs) ?? []), time])
  }
  return shown
}

describe('R81 a cron expression', () => {
  it.each(['0 3 * * 1', '*/5 0-6 1,15 JAN-MAR *', '0 0 L * *', '0 12 * * MON#2'])('%s is understood', (cron) => {
    expect(isCron(cron)).toBe(true)
  })

  it.each([
    '',
    'daily',
    '@daily',
    '2026-05-05T00:00:00',
    '0 3 * *',
    '0 0 3 * * 1',
    '60 3 * * 1',
    '0 3 * * 9',
    'a b c d e',
  ])('%j is none', (cron) => {
    expect(isCron(cron)).toBe(false)
  })

  it('may never come', () => {
    expect(cronTimeAfter('0 0 30 2 *', 'UTC', new Date('2026-03-02T12:00:00Z'))).toBeNull()
    expect(cronTimeAfter('0 0 30 2 *', 'Europe/Berlin', new Date('2026-03-02T12:00:00Z'))).toBeNull()
  })

  it('comes on the day of the month and on the day of the week', () => {
    expect(timesOf('0 0 13 * 5', 'UTC', '2026-04-05T00:00:00Z')).toEqual(['04-10 00:00', '04-13 00:00', '04-17 00:00'])
  })
})

it('R81 a zone has a name', () => {
  const names = ['Europe/Berlin', 'UTC', 'america/new_york', '+02:00', 'Europe/Berlim', '']

  expect(names.map(isTimeZone)).toEqual([true, true, true, false, false, false])
})

describe('R81 the times of a schedule', () => {
  const noon = new Date('2026-03-02T12:00:00Z')
  const every = (seconds: number, anchor: Date) => ({ kind: 'every', seconds, anchor }) as const
  const isoOf = (times: readonly Date[]) => times.map((time) => time.toISOString())

  it('are its anchor, and so many seconds after each', () => {
    const times = { rhythm: every(90, noon), startAt: noon, endAt: null }

    expect(isoOf(runTimesAfter(times, new Date('2026-03-01T00:00:00Z'), 2))).toEqual([
      '2026-03-02T12:00:00.000Z',
      '2026-03-02T12:01:30.000Z',
    ])
    expect(isoOf(runTimesAfter(times, new Date('2026-03-02T12:01:30Z'), 1))).toEqual(['2026-03-02T12:03:00.000Z'])
  })

  it('lie from its start to its end', () => {
    const rhythm = { kind: 'cron', cron: '0 0 * * *', timeZone: 'UTC' } as const
    const times = { rhythm, startAt: new Date('2026-03-05T00:00:00Z'), endAt: new Date('2026-03-06T00:00:00Z') }

    expect(isoOf(runTimesAfter(times, noon, 5))).toEqual(['2026-03-05T00:00:00.000Z', '2026-03-06T00:00:00.000Z'])
  })
})
