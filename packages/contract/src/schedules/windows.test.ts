import { Cron } from 'croner'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { parseExtensions } from '../extensions/extensions.ts'
import { cronTimeAfter } from './cron.ts'
import { type Window, windowStateAt } from './windows.ts'

const night = { cron: '0 22 * * *', durationMinutes: 360, timeZone: 'tags.timeZone' }

function stateOf(windows: readonly Window[], zone: string, time: string, responseMs = 0) {
  const { isOpen, until } = windowStateAt(windows, { zone, responseMs }, new Date(time))
  return `${isOpen ? 'open' : 'closed'} until ${until?.toISOString().slice(5, 19).replace('T', ' ') ?? 'never'}`
}

describe('R89 a window', () => {
  it.each([
    ['Europe/Berlin', '2026-03-02T20:59:59Z', 'closed until 03-02 21:00:00'],
    ['Europe/Berlin', '2026-03-02T21:00:00Z', 'open until 03-03 03:00:00'],
    ['Europe/Berlin', '2026-03-03T02:59:59.999Z', 'open until 03-03 03:00:00'],
    ['Europe/Berlin', '2026-03-03T03:00:00Z', 'closed until 03-03 21:00:00'],
    ['Asia/Kolkata', '2026-03-02T16:30:00Z', 'open until 03-02 22:30:00'],
    ['America/New_York', '2026-03-02T16:30:00Z', 'closed until 03-03 03:00:00'],
    // Six hours that pass, also in the night in which the clock leaves one out.
    ['Europe/Berlin', '2026-03-29T02:00:00Z', 'open until 03-29 03:00:00'],
  ])('opens at the times of the zone %s, at %s', (zone, time, expected) => {
    expect(stateOf([night], zone, time)).toBe(expected)
  })

  it('has a zone of its own, and several of them are open when one is', () => {
    const windows = [
      { cron: '0 1 * * *', durationMinutes: 60, timeZone: 'Europe/Berlin' },
      { cron: '30 0 * * *', durationMinutes: 60 },
    ]

    expect(
      ['00:00:00', '00:29:59', '00:45:00', '01:29:00', '01:30:00'].map((time) =>
        stateOf(windows, 'x', `2026-03-02T${time}Z`),
      ),
    ).toEqual([
      'open until 03-02 01:00:00',
      'open until 03-02 01:00:00',
      'open until 03-02 01:30:00',
      'open until 03-02 01:30:00',
      'closed until 03-03 00:00:00',
    ])
  })

  it('that opens again while it is open ends after the last', () => {
    const often = { cron: '*/10 * * * *', durationMinutes: 30 }

    expect(stateOf([often], 'UTC', '2026-03-02T12:05:00Z')).toBe('open until 03-02 12:30:00')
    expect(stateOf([often], 'UTC', '2026-03-02T12:30:00Z')).toBe('open until 03-02 13:00:00')
  })

  it('may never open', () => {
    expect(stateOf([{ cron: '0 0 30 2 *', durationMinutes: 60 }], 'UTC', '2026-03-02T12:00:00Z')).toBe(
      'closed until never',
    )
  })

  it('R92 with a strict end starts nothing that may be answered after it', () => {
    const strict = { cron: '0 12 * * *', durationMinutes: 2, strictEnd: true }

    expect(stateOf([strict], 'UTC', '2026-03-02T12:01:29Z', 30_000)).toBe('open until 03-02 12:01:30')
    expect(stateOf([strict], 'UTC', '2026-03-02T12:01:30Z', 30_000)).toBe('closed until 03-03 12:00:00')
    expect(stateOf([strict], 'UTC', '2026-03-02T12:00:00Z', 120_000)).toBe('closed until never')
  })
})

describe('R89 the last opening of a window', () => {
  const crons = [
    '* * * * *',
    '*/7 * * * *',
    '* 0-11 * * *',
    '0-20 9 * * *',
    '30 2 * * *',
    '*/10 1-3 * * 0',
    '0 22 * * 1,3',
    '15 * 29 3 *',
    '0 0 30 2 *',
  ]
  const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu']
  // Around the nights in which the clocks are changed, and some others.
  const days = ['2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01', '2026-07-15']
  const time = fc
    .tuple(fc.constantFrom(...days), fc.integer({ min: -86_400_000, max: 86_400_000 }))
    .map(([day, ms]) => new Date(Date.parse(day) + ms))

  it('is that which a walk over all of them finds', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...crons),
        fc.constantFrom(...zones),
        fc.integer({ min: 1, max: 1430 }),
        fc.integer({ min: 0, max: 59_999 }),
        time,
        (cron, zone, durationMinutes, responseMs, now) => {
          const window = { cron, durationMinutes, timeZone: 'tags.zone', strictEnd: true }
          // What is known of an earlier time may be told of a later one: this one is asked from its own time on.
          windowStateAt([window], { zone, responseMs }, new Date(now.getTime() + 1))
          const state = windowStateAt([window], { zone, responseMs }, now)

          const { isOpen, until } = walk(cron, zone, durationMinutes * 60_000 - responseMs, now)
          expect([state.isOpen, state.until]).toEqual([isOpen, until])
        },
      ),
      { numRuns: 60 },
    )
  })

  /** Looks at each opening since the time before which one would be over. */
  function walk(cron: string, zone: string, openMs: number, now: Date) {
    let last: Date | null = null
    let next = cronTimeAfter(cron, zone, new Date(now.getTime() - openMs))
    while (next !== null && next <= now) {
      last = next
      next = cronTimeAfter(cron, zone, next)
    }
    return last === null ? { isOpen: false, until: next } : { isOpen: true, until: new Date(last.getTime() + openMs) }
  }

  it.each([
    ['* * * * *', 'open until 03-04 11:50:00'],
    ['* 0-11 * * *', 'open until 03-04 11:49:00'],
    ['0 12 4 3 *', 'closed until 03-04 12:00:00'],
  ])('takes few steps, however often it opens: %s', (cron, expected) => {
    const steps = vi.spyOn(Cron.prototype, 'nextRun')
    onTestFinished(() => steps.mockRestore())
    const time = expected.endsWith('11:49:00') ? '2026-03-03T22:00:00Z' : '2026-03-03T12:00:00Z'

    expect(stateOf([{ cron, durationMinutes: 1430 }], 'UTC', time)).toBe(expected)

    expect(steps.mock.calls.length).toBeLessThanOrEqual(16)
  })
})

describe('R94 windows that are none', () => {
  const rule =
    'must be the name of a time zone, such as Europe/Berlin, or the path of a tag that names one, such as tags.timeZone, got'

  it.each([
    [[], 'windows must be a list of 1 to 14 windows, got []'],
    [Array.from({ length: 15 }, () => night), 'windows must be a list of 1 to 14 windows, got'],
    [{}, 'windows must be an array, got {}'],
    [[{ ...night, cron: 'nightly' }], 'windows.0.cron must be minute, hour, day of the month'],
    [[{ ...night, durationMinutes: 0 }], 'windows.0.durationMinutes must be at least 1, got 0'],
    [[{ ...night, durationMinutes: 1431 }], 'windows.0.durationMinutes must be at most 1430, got 1431'],
    [[{ cron: '0 1 * * *' }], 'windows.0.durationMinutes is missing'],
    [[{ ...night, timeZone: 'Mars/Base' }], `windows.0.timeZone ${rule} "Mars/Base"`],
    [[{ ...night, timeZone: 'tags.' }], `windows.0.timeZone ${rule} "tags."`],
    [[{ ...night, timeZone: 'properties.reported.zone' }], `windows.0.timeZone ${rule}`],
    [[{ ...night, strict: true }], 'windows.0.strict is not known'],
    [
      [night, { ...night, timeZone: 'tags.zone' }],
      'windows must be a list in which the zones of devices come from one tag, got',
    ],
  ])('%j', (windows, message) => {
    expect(() => parseExtensions({ windows }, [])).toThrow(message)
  })
})
